"""elephant-console forward: alerts that reach people, and a sign of life."""

-- Predicts values of a column: each night a linear model is fitted to the deliveries whose duration
-- is known, and says how many days those will take that are under way. For a superuser, who may
-- create functions in PL/Python; plain Python, without other packages.
BEGIN;
CREATE EXTENSION IF NOT EXISTS plpython3u;
CREATE SCHEMA forecast;

CREATE TABLE forecast.delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    distance_km float8 NOT NULL,
    weight_kg float8 NOT NULL,
    stops integer NOT NULL,
    days float8,
    predicted_days float8
);

CREATE FUNCTION forecast.predict_days(OUT known integer, OUT predicted integer, OUT mean_error float8)
LANGUAGE plpython3u
AS $python$
COLUMNS = ["distance_km", "weight_kg", "stops"]


def features(row):
    return [1.0, *(float(row[column]) for column in COLUMNS)]


def fit(inputs, outputs):
    """Least squares: solves the normal equations by elimination with pivoting."""
    size = len(inputs[0])
    equations = [
        [sum(x[i] * x[j] for x in inputs) for j in range(size)] + [sum(x[i] * y for x, y in zip(inputs, outputs))]
        for i in range(size)
    ]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(equations[row][column]))
        if abs(equations[pivot][column]) < 1e-9:
            plpy.error("the rows do not determine a model", hint="More rows with different values are needed.")
        equations[column], equations[pivot] = equations[pivot], equations[column]
        for row in range(size):
            if row != column:
                factor = equations[row][column] / equations[column][column]
                equations[row] = [a - factor * b for a, b in zip(equations[row], equations[column])]
    return [equations[i][size] / equations[i][i] for i in range(size)]


def predict(model, row):
    return sum(weight * value for weight, value in zip(model, features(row)))


rows = list(plpy.execute("SELECT * FROM forecast.delivery WHERE days IS NOT NULL"))
open_rows = list(plpy.execute("SELECT * FROM forecast.delivery WHERE days IS NULL"))
if not rows:
    plpy.error("there is nothing to learn from", hint="Rows whose days are known are needed.")
model = fit([features(row) for row in rows], [row["days"] for row in rows])
update = plpy.prepare(
    """UPDATE forecast.delivery d SET predicted_days = p.days
       FROM unnest($1, $2) p (delivery_id, days) WHERE d.delivery_id = p.delivery_id""",
    ["int8[]", "float8[]"],
)
plpy.execute(update, [[row["delivery_id"] for row in open_rows], [predict(model, row) for row in open_rows]])
error = sum(abs(predict(model, row) - row["days"]) for row in rows) / len(rows)
plpy.info(f"days = {' + '.join(f'{weight:.4g} {name}' for weight, name in zip(model, ['', *COLUMNS]))}")
return len(rows), len(open_rows), error
$python$;

SELECT job_id, job_name, schedule, next_run_at
FROM insert_job(
    'SELECT * FROM forecast.predict_days()',
    current_catalog,
    '30 3 * * *',
    job_name := 'predict delivery days',
    job_timeout := '10 minutes');
COMMIT;

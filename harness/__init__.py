"""What tests, benchmarks and the demonstration share: throwaway servers with the extension."""

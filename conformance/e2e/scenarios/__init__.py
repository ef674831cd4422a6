"""The scenarios: each has `options(parser)` and `run(report, options)`."""

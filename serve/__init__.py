"""`reelnotes serve`: every process of Reelnotes on one machine, supervised."""

"""What a process tells of itself: numbers that Prometheus reads, spans that an OpenTelemetry collector gets.

It knows no jobs and no rows: who measures names its metrics beside the work that they count.
"""

"""A pytest plugin for ``make soak``: the laws with very many more examples than a developer's run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "soak", max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

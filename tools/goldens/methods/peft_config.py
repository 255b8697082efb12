"""Configurations of PEFT's classes by name."""


def peft(name, **options):
    """Makes a configuration of PEFT's class `name`; the base's own configuration is not needed."""
    def config(_):
        import peft as library

        return getattr(library, name)(**{"task_type": "CAUSAL_LM", **options})
    return config

from tests.train.tiny import compile_once, trained  # noqa: F401  (fixtures)

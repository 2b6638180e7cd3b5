"""Dense, flatten and bilinear, over every rank."""

from tests.ops.cases.case import Case, normal


def _cases():
    yield Case("dense", "2d", normal((4, 5), (5, 3), (3,)))
    yield Case("dense", "no-bias", normal((4, 5), (5, 3), None))
    yield Case("dense", "batch-1", normal((1, 5), (5, 1), (1,)))
    yield Case("dense", "one-input", normal((3, 1), (1, 4), (4,)))
    yield Case("dense", "rank-4", normal((2, 3, 2, 5), (5, 4), (4,)))
    yield Case("bilinear", "2d", normal((4, 5), (4, 2), (5, 2, 3), (3,)))
    yield Case("bilinear", "no-bias", normal((1, 3), (1, 3), (3, 3, 1), None))
    yield Case("bilinear", "rank-4", normal((2, 3, 2, 2), (2, 3, 2, 4), (2, 4, 3), (3,)))
    yield Case("bilinear", "one-feature", normal((3, 1), (3, 4), (1, 4, 2), (2,)))
    for shape in [(3, 4), (2, 4, 3, 5), (1, 2, 3), (5,)]:
        yield Case("flatten", f"rank-{len(shape)}", normal(shape))


CASES = list(_cases())

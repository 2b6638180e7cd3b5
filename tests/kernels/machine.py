"""What tests need to know of the machine."""

from pathlib import Path


def has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 here at all."""
    return "avx512bw" in _told()


def multiplies_bfloat16() -> bool:
    """Whether bfloat16 is multiplied faster than float32 here: by AMX, or by AVX512_BF16 on an AMD."""
    return "amx_bf16" in _told() or ("avx512_bf16" in _told() and "AuthenticAMD" in _told())


def _told() -> str:
    """What Linux says of the processors; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""

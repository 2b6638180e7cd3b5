"""What tests need to know of the machine."""

from pathlib import Path


def has_bfloat16() -> bool:
    """Whether oneDNN multiplies bfloat16 here at all."""
    return "avx512bw" in Path("/proc/cpuinfo").read_text()


def multiplies_bfloat16() -> bool:
    """Whether bfloat16 is multiplied faster than float32 here: by AMX, or by AVX512_BF16 on an AMD."""
    text = Path("/proc/cpuinfo").read_text()
    return "amx_bf16" in text or ("avx512_bf16" in text and "AuthenticAMD" in text)

#!/bin/sh
# All tables of BENCHMARKS.md, made again on this machine, in one Markdown file.
#
#     experiments/benchmarks.sh [--rehearse] [FOLDER]
#
# FOLDER (runs/benchmarks) gets BENCHMARKS.md and the JSON that it is made of. It takes about an hour: each part has its
# minutes, 47 in all and a few more for memory, and batches with which 2 cores without AVX-512 should need no more. What
# there is no time for is left out, and said. Let nothing else run meanwhile. What is there from a run that was stopped is
# not measured again.
# With --rehearse a part of each kind is done once by one small network on two tiny images, to see that it works, in a
# minute or two: no numbers.
# Set PYTHON to an environment with the peers (`jaxcnn bench --help`); KERAS_BACKEND=jax is set here.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python}
export KERAS_BACKEND=jax
export GLIBC_TUNABLES="${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}" # huge pages, for everybody

parts="small residual large layered" # of training steps
small=lenet5,cifar_small,resnet20 large=resnet50,mobilenet_v2,efficientnet_lite0
plain=cifar_small residual=resnet18 layered=convnext_tiny # by themselves: the scaling, and other batch sizes
answering=$small,resnet18,mobilenet_v2                    # 64 images at a time, too, which takes long by larger ones
operations=all
repeats=5
many=64 few=4 fewest=2 # images in a step: of 32×32 pixels, and where many passes over 224×224 leave time for few
batches="8 32 64" pixels="32 64 128"
all=all fast=flax,torch fastest=torch # peers: fewer where a step is long
# A step in bfloat16 takes PyTorch minutes on a CPU that does not multiply it.
grep -qsw avx512_bf16 /proc/cpuinfo || fastest=flax
size="" default=$root/runs/benchmarks
if [ "${1:-}" = --rehearse ]; then
    shift
    parts=small small=lenet5 plain=lenet5 residual=lenet5 answering=lenet5 operations=relu
    repeats=1 many=2 few=2 batches=2 pixels=16
    all=flax fast=none fastest=none
    size="--image-size 32" default=$root/runs/benchmarks_rehearsed
fi
case ${1:-} in
-*) echo "unknown option $1; usage: experiments/benchmarks.sh [--rehearse] [FOLDER]" >&2 && exit 2 ;;
esac
mkdir -p "${1:-$default}"
folder=$(cd "${1:-$default}" && pwd)
cd "$root"

bench() { # NAME MINUTES OPTIONS: what `jaxcnn bench` finds, in NAME.json
    [ -s "$folder/$1.json" ] && return
    file=$folder/$1 limit=$2
    shift 2
    "$python" -m jaxcnn bench "$@" --repeats "$repeats" --minutes "$limit" --json "$file.part"
    mv "$file.part" "$file.json"
}

memory() { # NETWORK IMAGES
    [ -s "$folder/memory_$1.json" ] && return
    # shellcheck disable=SC2086 # several words, or none
    "$python" -m experiments.memory_peak --model "$1" --batch-size "$2" $size --json "$folder/memory_$1.json"
}

training() { # PART: its networks' steps, in float32, or with `bfloat16` in that
    case $1 in # minutes in float32 and in bfloat16
    small) networks=$small images=$many peers=$all minutes="5 4" ;;
    residual) networks=$residual images=$few peers=$fast minutes="2 2" ;;
    large) networks=$large images=$fewest peers=$fast minutes="6 4" ;;
    layered) networks=$layered images=$fewest peers=$fast minutes="3 2" ;;
    esac
    name=$1 precision=float32 limit=${minutes% *}
    [ "${2:-}" = bfloat16 ] && name=$1_bfloat16 precision=bfloat16 limit=${minutes#* } peers=$fastest
    # shellcheck disable=SC2086
    bench "$name" "$limit" --steps "$networks" --peers "$peers" --batch-size "$images" $size --precision "$precision"
}

bench operations 5 --ops "$operations" --peers torch --precision float32
for part in $parts; do training "$part"; done
# shellcheck disable=SC2086
bench inference 7 --inference "$answering" --peers "$fast" $size --precision float32
memory "$plain" "$many"
memory "$residual" "$few"
for part in $parts; do training "$part" bfloat16; done
for n in $batches; do
    # shellcheck disable=SC2086
    bench "batch_$n" 1.5 --steps "$plain" --peers "$fast" --batch-size "$n" $size --precision float32
done
for n in $pixels; do
    bench "pixels_$n" 1 --steps "$residual" --peers "$fast" --batch-size "$few" --image-size "$n" --precision float32
done

each() { # PREFIX NAMES: their files
    prefix=$1
    shift
    for n in "$@"; do echo "$folder/$prefix$n.json"; done
}

bfloat16=$(for part in $parts; do echo "${part}_bfloat16"; done)
# shellcheck disable=SC2046,SC2086
"$python" -m experiments.benchmarks \
    Operations $(each "" operations) \
    "Training steps" $(each "" $parts) \
    "Training steps in bfloat16" $(each "" $bfloat16) \
    Inference $(each "" inference) \
    "By batch size" $(each batch_ $batches) \
    "By image size" $(each pixels_ $pixels) \
    Memory $(each memory_ "$plain" "$residual") >"$folder/BENCHMARKS.md"
echo "tables $folder/BENCHMARKS.md"

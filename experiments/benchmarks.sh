#!/bin/sh
# All tables of BENCHMARKS.md, made again on this machine, in one Markdown file.
#
#     experiments/benchmarks.sh [--rehearse] [FOLDER]
#
# FOLDER (runs/benchmarks) gets BENCHMARKS.md and the JSON that it is made of. On 2 cores it should take about an hour, by
# the times of its parts; let nothing else run meanwhile. What is there from a run that was stopped is not measured again.
# With --rehearse everything is done once by one small network on two tiny images, to see that it works: no numbers.
# Set PYTHON to an environment with the peers (`jaxcnn bench --help`); KERAS_BACKEND=jax is set here.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python}
export KERAS_BACKEND=jax
export GLIBC_TUNABLES="${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}" # huge pages, for everybody

small=lenet5,cifar_small,resnet20 large=resnet50,mobilenet_v2,efficientnet_lite0
plain=cifar_small residual=resnet18 layered=convnext_tiny # by themselves: the scaling, and other batch sizes
operations=all
repeats=7 fewer=5
few=8 fewest=4 # images in a step that many passes over 224×224 pixels leave time for
batches="8 32 512" pixels="32 64 128"
all=all fast=flax,torch fastest=torch # peers: fewer where a step is long
size=""
default=$root/runs/benchmarks
if [ "${1:-}" = --rehearse ]; then
    shift
    small=lenet5 large=lenet5 plain=lenet5 residual=lenet5 layered=lenet5 operations=relu
    repeats=1 fewer=1 few=1 fewest=1 batches=2 pixels=16
    all=flax fast=flax fastest=none
    size="--image-size 32" default=$root/runs/benchmarks_rehearsed
fi
case ${1:-} in
-*) echo "unknown option $1; usage: experiments/benchmarks.sh [--rehearse] [FOLDER]" >&2 && exit 2 ;;
esac
mkdir -p "${1:-$default}"
folder=$(cd "${1:-$default}" && pwd)
cd "$root"

bench() { # NAME OPTIONS: what `jaxcnn bench` finds, in NAME.json
    [ -s "$folder/$1.json" ] && return
    name=$1
    shift
    # shellcheck disable=SC2086 # several words, or none
    "$python" -m jaxcnn bench "$@" $sized --json "$folder/$name.part"
    mv "$folder/$name.part" "$folder/$name.json"
}

memory() { # NETWORK IMAGES
    [ -s "$folder/memory_$1.json" ] && return
    # shellcheck disable=SC2086
    "$python" -m experiments.memory_peak --model "$1" --batch-size "$2" $size --json "$folder/memory_$1.json"
}

float32() { bench "$@" --precision float32; }
bfloat16() { bench "$@" --precision bfloat16; }

sized=""
float32 operations --ops "$operations" --peers torch --repeats "$repeats"
sized=$size
float32 small --steps "$small" --peers "$all" --repeats "$repeats"
float32 residual --steps "$residual" --peers "$fast" --repeats "$fewer" --batch-size $((2 * few))
float32 large --steps "$large" --peers "$fast" --repeats "$fewer" --batch-size "$few"
float32 layered --steps "$layered" --peers "$fast" --repeats "$fewer" --batch-size "$fewest"
bfloat16 small_bfloat16 --steps "$small" --peers "$fastest" --repeats "$fewer"
bfloat16 residual_bfloat16 --steps "$residual" --peers "$fastest" --repeats "$fewer" --batch-size $((2 * few))
bfloat16 large_bfloat16 --steps "$large" --peers "$fastest" --repeats "$fewer" --batch-size "$few"
bfloat16 layered_bfloat16 --steps "$layered" --peers "$fastest" --repeats "$fewer" --batch-size "$fewest"
float32 inference --inference "$small,$residual,$large" --peers "$fast" --repeats "$fewer"
float32 inference_layered --inference "$layered" --peers "$fastest" --repeats "$fewer"
for n in $batches; do
    float32 "batch_$n" --steps "$plain" --peers "$fast" --repeats "$fewer" --batch-size "$n"
done
sized=""
for n in $pixels; do
    float32 "pixels_$n" --steps "$residual" --peers "$fast" --repeats "$fewer" --batch-size $((2 * few)) --image-size "$n"
done
memory "$plain" $((16 * few))
memory "$residual" $((2 * few))

each() { # PREFIX NAMES: their files
    prefix=$1
    shift
    for n in "$@"; do echo "$folder/$prefix$n.json"; done
}

# shellcheck disable=SC2046,SC2086
"$python" -m experiments.benchmarks \
    Operations $(each "" operations) \
    "Training steps" $(each "" small residual large layered) \
    "Training steps in bfloat16" $(each "" small_bfloat16 residual_bfloat16 large_bfloat16 layered_bfloat16) \
    Inference $(each "" inference inference_layered) \
    "By batch size" $(each batch_ $batches) \
    "By image size" $(each pixels_ $pixels) \
    Memory $(each memory_ "$plain" "$residual") >"$folder/BENCHMARKS.md"
echo "tables $folder/BENCHMARKS.md"

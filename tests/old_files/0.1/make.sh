#!/usr/bin/env bash
# How the files here were made: make.sh PYTHON, in an empty folder, where PYTHON imports the gaitkit
# of README.md.
set -euo pipefail
python=$1
export OMP_NUM_THREADS=1
gaitkit() { "$python" -m gaitkit "$@"; }

gaitkit synth walkers --subjects 8 --frames 8 --view 0 --view 90 --seed 0 --workers 1
# Three walks of each person are enough: nm-01 is enrolled, the others are probes.
find walkers -mindepth 2 -maxdepth 2 ! -name "nm-0[15]" ! -name cl-01 -exec rm -r {} +
gaitkit normalize walkers -o silhouettes.h5 --size 32 32 --workers 1
gaitkit make-gei silhouettes.h5 -o gei.h5 --min-frames 6 --workers 1
gaitkit export gei.h5 -o images
gaitkit make-gei images -o gei-ready.h5

small="--protocol halves --batch-size 2 --iterations 2 --precision fp32 --threads 1"
for system in gaitgan stargan attgan deformable; do
    gaitkit train-gan gei.h5 -o $system.h5 --model $system $small --width 1
done
gaitkit train-gan gei.h5 -o dgnet.h5 --model dgnet $small --width 1 --set identity_width=1 \
    --set teacher_share=0
gaitkit train-gan gei.h5 -o validated.h5 $small --width 1 --validation-subjects 2 --validate-every 1
gaitkit translate gei.h5 --model gaitgan.h5 -o translated.h5
gaitkit translate gei.h5 --model stargan.h5 --to-view 0 --to-condition cl -o translated-0cl.h5

gaitkit evaluate gei.h5 --protocol halves -o results-pixels.h5
gaitkit evaluate gei.h5 --protocol halves --metric cosine --metric manhattan -o results-metrics.h5
gaitkit evaluate gei.h5 --protocol halves --feature pca --feature lda -o results-pca-lda.h5
gaitkit evaluate gei.h5 translated-0cl.h5 --fuse --protocol halves -o results-fused.h5
gaitkit evaluate translated.h5 --protocol halves --truth gei.h5 -o results-translated.h5

# A gallery of two people, to which a third was added.
gaitkit export gei.h5 --subject 001 --subject 002 -o two
gaitkit export gei.h5 --subject 003 -o third
gaitkit make-gei two -o gallery.h5 --name people
gaitkit make-gei third -o third.h5 --name people
gaitkit enroll gallery.h5 third.h5
rm third.h5

# A training that was stopped after the first of its four iterations, and how it ended.
cat > stopped.py <<'P'
import itertools, sys
from contextlib import contextmanager
import gaitkit.__main__ as run
run._find_command_line()
from gaitkit.cli import main, train_gan
@contextmanager
def after_one():
    steps = itertools.count(1)
    yield lambda: next(steps) >= 2
train_gan.stop_on_signal = after_one
main.main(sys.argv[1:])
P
train="train-gan gei.h5 -o continued.h5 --protocol halves --width 1 --batch-size 2 --iterations 4"
"$python" stopped.py $train --precision fp32 --threads 1 || test $? = 130
cp continued.h5.parts/checkpoint.h5 .
gaitkit $train --precision fp32 --threads 1

"$python" "$(dirname "$0")/answers.py" > expected.json
gzip -9 -n *.h5

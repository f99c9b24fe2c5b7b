# limit: 150
# What sbatch refuses, and in what words.
. "$CT_LIB"
try sbatch --wrap=true extra args
try sbatch nosuch.sh
try sbatch --nosuch --wrap true
try sbatch --ntask=2 --wrap true -H
try sbatch -H --wrap true -J
try sbatch -n2 -N1 -t5 -Jj -pshort -c1 -H --wrap true; field $(tail -1 $CT_STATE/ids) JobName NumTasks TimeLimit Partition
try sbatch -H -t 1-2:3:4 --wrap true; field $(tail -1 $CT_STATE/ids) TimeLimit
printf '#!/bin/bash\n#SBATCH -J dir\n#SBATCH --bogus\ntrue\n' >b.sh; try sbatch b.sh
printf '#!/bin/bash\n#SBATCH -t\ntrue\n' >b.sh; try sbatch b.sh
printf '#!/bin/bash\n#SBATCH --time=5 -J x y\ntrue\n' >b.sh; try sbatch -H b.sh
printf 'true\n' >b.sh; try sbatch b.sh
printf '#!/bin/bash\n#SBATCH -J ok\n\n# c\n#SBATCH -n 3\necho x\n#SBATCH -n 5\n' >b.sh; submit -H b.sh a 'b c'; field $J JobName NumTasks Command
submit -H -J over b.sh; field $J JobName
SBATCH_JOB_NAME=env submit -H b.sh; field $J JobName
SBATCH_PARTITION=short SBATCH_TIMELIMIT=3 SBATCH_ACCOUNT=chem submit -H b.sh; field $J Partition TimeLimit Account
cat b.sh | try sbatch -H; field $(tail -1 $CT_STATE/ids) JobName Command
try sbatch --test-only -n 1 --wrap true 2>&1 | sed -E 's/at \S+/at T/'
try sbatch --test-only -N 9 --wrap true
try sbatch --test-only -p nosuch --wrap true
try sbatch --parsable -H --wrap true | sed -E 's/7[0-9]+/ID/'
try sbatch -W --wrap 'exit 2' -o /dev/null
try sbatch -W -a 1-2 --wrap 'exit $SLURM_ARRAY_TASK_ID' -o /dev/null
try sbatch -W --wrap 'kill -9 $$' -o /dev/null
try sbatch -Q -H --wrap true
try sbatch --mem=1G --mem-per-cpu=1G -H --wrap true
try sbatch --mem=bad --wrap true
try sbatch --mem=100000 --wrap true
try sbatch --mem-per-cpu=100G --wrap true
try sbatch -c 17 --wrap true
try sbatch -n 65 -H --wrap true
try sbatch --ntasks-per-node=17 --wrap true
try sbatch -N 5 --wrap true -H
try sbatch -w n9 --wrap true
try sbatch -w n[1-3] -N 2 --wrap true
try sbatch -x n[1-4] --wrap true
try sbatch --gres=gpu:x:y:z --wrap true
try sbatch --gres=foo --wrap true
try sbatch --gres=gpu:h100:1 --wrap true
try sbatch --mail-type=BOGUS --wrap true
try sbatch --mail-type=END,FAIL --mail-user=a@b -H --wrap true; field $(tail -1 $CT_STATE/ids) MailUser MailType
try sbatch --signal=BOGUS@10 --wrap true
try sbatch --signal=USR1@99999 --wrap true
try sbatch --signal=B:USR1@60 -H --wrap true
try sbatch --nice=bogus --wrap true
try sbatch --nice=-5 --wrap true
try sbatch --nice -H --wrap true; field $(tail -1 $CT_STATE/ids) Nice
try sbatch --priority=5 -H --wrap true; field $(tail -1 $CT_STATE/ids) Priority
try sbatch --uid=bob --wrap true
try sbatch --reservation=nosuch --wrap true
try sbatch --qos=nosuch --wrap true
try sbatch -A nosuch --wrap true
try sbatch -q strict -n 9 --wrap true
try sbatch -q strict -t 60 --wrap true
try sbatch -q tiny -t 60 -H --wrap true
try sbatch --exclusive=bogus --wrap true
try sbatch --hint=bogus --wrap true
try sbatch -m bogus --wrap true
try sbatch -m plane --wrap true
try sbatch --open-mode=x --wrap true
try sbatch --export-file=nosuch --wrap true
try sbatch -D /nonexistent -H --wrap true
try sbatch -i nosuch -H --wrap true
try sbatch --kill-on-invalid-dep=x --wrap true
try sbatch --switches=x --wrap true
try sbatch -L nosuch --wrap true
try sbatch -L matlab:9 --wrap true
try sbatch --begin=junk --wrap true
try sbatch -a 5-1 --wrap true
try sbatch -a x --wrap true
try sbatch -d bogus:1 --wrap true
try sbatch -d afterok:650000 --wrap true
try sbatch -d afterok --wrap true
try sbatch -C nosuch --wrap true
try sbatch --time-min=20 -t 10 --wrap true
try sbatch --deadline=2001-01-01 --wrap true
try sbatch -M nosuch --wrap true
try sbatch --clusters=ref -H --wrap true
try sbatch --comment -H --wrap true
try sbatch --get-user-env=x -H --wrap true
try sbatch --core-spec=x --wrap true
try sbatch --profile=bogus --wrap true
try sbatch --requeue --no-requeue -H --wrap true; field $(tail -1 $CT_STATE/ids) Requeue
try sbatch --ntasks-per-gpu=1 --wrap true
try sbatch --gpus-per-task=1 --wrap true
try sbatch --cpus-per-gpu=1 -H --wrap true
try sbatch --mem-per-gpu=1G --wrap true
try sbatch -O -c 2 -n 4 -H --wrap true; field $(tail -1 $CT_STATE/ids) NumCPUs NumTasks
try sbatch --threads-per-core=2 --wrap true
try sbatch --sockets-per-node=3 --wrap true
try sbatch -B 1:2 -H --wrap true

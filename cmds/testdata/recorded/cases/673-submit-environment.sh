# topic: sbatch
# limit: 60
# What comes along from where a job is submitted: GPUs' variables, the umask, files of variables; options that add up or keep quiet.
export CUDA_VISIBLE_DEVICES=3 ROCR_VISIBLE_DEVICES=2 SLURM_UMASK=0027
. "$CT_LIB"
v='env | grep -E "^(CUDA|ROCR)" | sort | paste -sd" "; umask; echo "[$SLURM_UMASK]"'
for a in '' '-w n4' '--gres=gpu:1'; do submit -o o $a --wrap "$v; srun sh -c '$v'"; wait_done $J; echo "+ $a"; grep -v 'srun: ' o; rm -f o; done
srun sh -c "$v"; srun -w n4 sh -c "$v"
unset CUDA_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES SLURM_UMASK
SLURM_NTASKS=7 SLURM_ARRAY_TASK_ID=9 submit -o o --wrap 'echo $SLURM_NTASKS $SLURM_ARRAY_TASK_ID'; wait_done $J; cat o
printf 'A=1\0B=two words\0' >ef
for o in '--export-file=ef' '--export-file=ef --export=NONE' '--export-file=ef --export=ALL'; do submit $o -o o --wrap 'echo "A=$A B=$B USER=${USER-unset}"'; wait_done $J; echo "$o: $(cat o)"; done
for f in nosuch '' 99; do try sbatch --export-file=$f --wrap true; done
printf '#!/bin/bash\n#SBATCH --mail-type=END\ntrue\n' >m.sh
for o in '' --mail-type=FAIL --mail-type=NONE '--mail-type=BEGIN --mail-type=FAIL,REQUEUE' '--mail-type=FAIL --mail-type=NONE'; do submit -H $o m.sh; field $J MailType; done
try sbatch -Q --parsable -H -J quiet --wrap true; squeue -h -n quiet -o %j
for c in 'srun true' 'srun -Q true' 'salloc true' 'salloc -Q true'; do set -- $c; x=$1; shift; echo "+ $c"; ($x -H -J held "$@" >w 2>&1; echo rc=$? >>w) & poll 10 bash -c '[ -n "$(squeue -h -n held)" ]'; sleep 0.3; scancel -n held; wait; sed -E 's/7[0-9]{5}/ID/' w | sort; poll 10 bash -c '[ -z "$(squeue -h -n held)" ]'; done
for h in nomultithread memory_bound; do for o in '' '--sockets-per-node=1 --cores-per-socket=4' '-N2 --cores-per-socket=2' '-B 1:4'; do submit -H --hint=$h $o --wrap true; echo "$h $o: $(squeue -h -j $J -o '%z %C') $(field $J ReqB:S:C:T NumTasks | paste -sd' ')"; done; done
for o in '--threads-per-core=1' '-v --threads-per-core=1'; do sbatch -H --hint=multithread $o --wrap true 2>&1 | grep -c 'exclusive with --hint'; done; scancel -u alice
a() { submit -H -D /tmp "$@" --wrap true; squeue -h -j $J -O 'stdout:30,stderr:30,stdin:20' | sed -E 's/7[0-9]{5}/ID/g'; }
a; a -o %j.o -e %x-%u.e -i %A.i; a -a 1-2 -o %A_%a; a -a 1-2
(cd /tmp; salloc -Q sh -c 'squeue -h -j $SLURM_JOB_ID -O stdout:30,stderr:30,stdin:20 | sed -E "s/7[0-9]{5}/ID/g"')
for o in '-N 1-3 -n 5 --ntasks-per-node=2' '-N 2-4 -n 7 --ntasks-per-node=2' '--gres=gpu:1 --gpus=2' '--gres=gpu:2 --gpus=4 -N1-4' '--gres=gpu:1 --gpus-per-node=2'; do submit -H $o --wrap true; echo "$o: $(field $J NumNodes TRES TresPerNode | paste -sd' ')"; done
for i in 1 2 3 4 5; do sbatch -Q -o /dev/null --wrap true; scancel -u alice; done

# limit: 150
# Forms of salloc, and what it says and returns when there is nothing to be had.
. "$CT_LIB"
t() { echo "+ $*" | normalise; timeout 20 "$@" >o.txt 2>e.txt; rc=$?; last=$(grep -oE 'allocation [0-9]+' e.txt | head -1 | grep -oE '[0-9]+$'); normalise <o.txt | sort; echo "--"; normalise <e.txt | grep -v 'has been revoked' ; echo "rc=$rc"; }
t salloc -n 2 -N 2 srun -l printenv SLURMD_NODENAME
t salloc -n 3 sh -c 'echo $SLURM_NTASKS $SLURM_NPROCS $SLURM_JOB_CPUS_PER_NODE $SLURM_TASKS_PER_NODE $SLURM_JOB_NODELIST $SLURM_NNODES $SLURM_CPUS_ON_NODE $SLURM_JOB_NAME'
t salloc sh -c 'env | grep ^SLURM | cut -d= -f1 | sort | paste -sd" "'
t salloc -I true
t salloc --immediate=2 -w n1 true
t salloc -H -I true
t salloc -H --no-shell
scancel $last
t salloc --no-shell -J nos -t 3; A=$last
field $A JobState JobName TimeLimit BatchFlag Command; squeue -h -j $A -o '%j %T %N %C'
t srun --jobid=$A -l -n1 printenv SLURMD_NODENAME
t srun --jobid=$A sh -c 'echo $SLURM_JOB_NAME $SLURM_NTASKS'
scancel $A; wait_done $A; field $A JobState ExitCode Reason
t salloc -n 1 false
t salloc -n 1 sh -c 'exit 42'
t salloc -n 1 sh -c 'kill -9 $$'
t salloc -n 1 nosuchcommand
t salloc -n 1 /nonexistent/x
t salloc -n 1 ./
t salloc --bogus
t salloc -N
t salloc -n x true
t salloc -t 1:2:3:4:5 true
t salloc -p nosuch true
t salloc -A nosuch true
t salloc --qos=nosuch true
t salloc -C nosuch true
t salloc -w nosuch true
t salloc --gres=gpu:99 true
t salloc --mem=1T true
t salloc -N 99 -I true
t salloc -q strict -n 9 true
t salloc -q tiny -n 5 -I true
t salloc -A capped -n 8 -I true
t salloc -Q -n1 echo q
t salloc -D /nonexistent pwd
t salloc -D / pwd
t salloc -K -n 1 echo k
t salloc --kill-command=TERM -n 1 echo k
t salloc --kill-command=BAD -n 1 echo k
t salloc --bell -n1 echo bell
t salloc --no-bell -n1 echo bell
t salloc --exclusive -w n4 sh -c 'echo $SLURM_CPUS_ON_NODE $SLURM_JOB_CPUS_PER_NODE; squeue -h -j $SLURM_JOB_ID -o "%h %C"'
t salloc -n 2 sh -c 'srun -n 3 true'
t salloc -n 2 sh -c 'srun hostname | wc -l; srun -n1 echo one'
t salloc -n1 : -n2 sh -c 'echo $SLURM_HET_SIZE $SLURM_NTASKS_HET_GROUP_0 $SLURM_NTASKS_HET_GROUP_1'
SALLOC_QOS=high t salloc -n1 sh -c 'squeue -h -j $SLURM_JOB_ID -o %q'
SALLOC_ACCOUNT=chem SALLOC_TIMELIMIT=7 t salloc -n1 sh -c 'squeue -h -j $SLURM_JOB_ID -o "%a %l"'
SLURM_JOB_ID=5 t salloc -n1 true
SLURM_EXIT_ERROR=7 t salloc -p nosuch true
SLURM_EXIT_IMMEDIATE=9 t salloc -I -N 4 -n 999 true
t salloc -n1 sh -c 'scancel $SLURM_JOB_ID; sleep 1; echo after'
t salloc --time=1 --signal=USR1@50 -n1 sh -c 'echo sig'

# topic: submit
# Options that few clusters have a use for: what each is refused for, and what a job is told to have asked for.
. "$CT_LIB"
ask() { submit -H -o /dev/null "$@" --wrap true && field $J MCS_label DelayBoot ClusterFeatures BurstBuffer GresEnforceBind TresBind Features; scancel -Q $J; }
ask --mcs-label=blue
ask --mcs-label=blue --exclusive=mcs
ask --bb='capacity=1G'
printf '#DW jobdw capacity=1GB\n' >bbf
ask --bbf=bbf
try sbatch --bbf=nosuch --wrap true
ask --delay-boot=5
ask --delay-boot=1:30
try sbatch --delay-boot=x --wrap true
ask --cluster-constraint=fast
ask --cluster-constraint='!fast'
ask --cluster-constraint='fast&ib'
ask --gres-flags=disable-binding
ask --gres-flags=enforce-binding --gres=gpu:1
try sbatch --gres-flags=nosuch --wrap true
ask --acctg-freq=task=1
ask --acctg-freq=task=1,energy=5
ask --acctg-freq=energy=60
try sbatch --acctg-freq=nosuch=10 --wrap true
try sbatch --acctg-freq=x --wrap true
ask --wait-all-nodes=1
ask --wait-all-nodes=0
try sbatch --wait-all-nodes=2 --wrap true
try srun --mcs-label=blue true
# The last line of what is refused.
for f in 0 10 task=600; do for c in 'sbatch --wrap true' 'srun true' 'salloc true'; do
	set -- $c; x=$1; shift; "$x" --acctg-freq=$f "$@" 2>&1 | tail -n1; done; done

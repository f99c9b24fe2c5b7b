# topic: limits
# as: root
# Which of several limits is named, priorities of 0, what of an account cannot be changed, accounts under a limit on jobs.
. "$CT_LIB"
cleanup() { sacctmgr -i modify user alice account=physics set MaxSubmitJobs=-1; }
a() { as_user alice "$@"; }
sacctmgr -i modify user alice account=physics set MaxSubmitJobs=2 >/dev/null
try a sbatch --qos=strict -n 1 --array=1-3 -t 40 --wrap true; try a sbatch --qos=strict -n 9 --array=1-3 -t 5 --wrap true; try a sbatch --qos=strict -n 1 --array=1-3 -t 5 --wrap true; try a sbatch --qos=tiny -n 1 --array=1-4 -t 5 --wrap true; try a sbatch --array=1-3 --wrap true
sacctmgr -i modify user alice account=physics set MaxSubmitJobs=-1 >/dev/null
submit_as alice --exclusive -N 4 -t 5 -o /dev/null --wrap 'sleep 30'; A=$J; wait_state $A RUNNING
submit_as alice -t 5 -o /dev/null --wrap true; usual=$(squeue -h -j $J -o %Q); scancel $J
for w in 0 1 TOP 500 -1 4294967294 x; do for u in alice root; do submit_as $u --priority=$w -t 5 -o /dev/null --wrap true && { squeue -h -j $J -o "$w $u %Q %T" | sed "s/ $usual / usual /"; scancel $J; }; done; done
for w in name=foo names=foo cluster=foo; do try sacctmgr -i modify account optics set $w; done

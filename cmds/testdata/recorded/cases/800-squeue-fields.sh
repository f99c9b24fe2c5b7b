# topic: squeue
# Every letter and every field for a job that runs, waits, is held, is suspended, has ended, an array that waits, a task of it, a het job.
# limit: 120
. "$CT_LIB"
submit -J run -N 2 -n 4 -c 2 -t 10 -w 'n[1-2]' -C fast --comment=cc --gres=gpu:1 --mem=300 --qos=low -o run.%j.%N -e e.%x -i /dev/null -L matlab:2 --nice=3 --signal=B:USR1@30 --wrap 'srun sleep 60'; R=$J; wait_state $J RUNNING
submit -J held -H -N 1-3 -n 3 -p short,debug -x n4 -t 1-2:03:04 --time-min=5 --mem-per-cpu=1500M --tmp=2G -d afterany:$R --deadline=2035-01-01 --ntasks-per-node=2 --exclusive --wckey=k --no-requeue --mail-type=END --wrap true; H=$J
submit -J ar -a 1-9:2%2 -t 20 -p closed -A chem -c 3 --begin=2034-01-01 --wrap true; A=$J
submit -H -J big --contiguous -N 2 --exclusive=user --hint=nomultithread --switches=1@10 --gpus=2 --gpu-bind=closest --cpus-per-gpu=2 --sockets-per-node=1 --cores-per-socket=4 --spread-job --use-min-nodes --wrap true; B=$J
submit -J ok -t 9 -o /dev/null --wrap true; X=$J; wait_done $X
submit -J bad -t 9 -o /dev/null -a 5 --wrap 'exit 3'; F=$J; wait_done $F
submit -J sig -t 9 -o /dev/null --wrap 'kill -9 $$'; K=$J; wait_done $K
submit -H -J can -o /dev/null --wrap true; C=$J; scancel $C
sbatch -H --parsable -J h0 -n 2 --wrap true : -J h1 -n 3 -p short -t 5 >id; O=$(cat id); remember $O; remember $((O+1))
n() { normalise -e | sed -E "s/59:[0-9]{2}|[89]:[0-9]{2}|10:00/MM:SS/g; s/\b43[0-9]{5}[0-9]*/PRIO/g; s/\b[0-9]{4,5}\b/NUM/g; s/0\.[0-9]{14}/PRIOF/g"; }
for l in a A b B c C d D E f F g G h H i I j J k K l m n N o O P q r R S t T u U v w W x X y Y z Z e V L M; do echo "%$l: $(squeue -h -a -t all -S i -o "[%$l]" -j $R,$H,$A,$B,$X,$F,$K,$C,$O 2>&1 | paste -sd' ' | n)"; done
for f in account accruetime admin_comment allocnodes allocsid arrayjobid arraytaskid batchflag batchhost boardspernode burstbuffer burstbufferstate cluster clusterfeature command comment container contiguous cores corespec cpus-per-task cpus-per-tres deadline delayboot dependency derivedec eligibletime endtime exit_code feature gres groupid groupname hetjobid hetjobidset hetjoboffset jobarrayid jobid lastschedeval licenses maxcpus maxnodes mem-per-tres mcslabel mincpus minmemory mintime mintmpdisk name network nice nodelist ntpercore ntpernode ntpersocket ntperboard numcpus numnodes numtasks origin originraw oversubscribe packjobid packjobidset packjoboffset partition preempttime prefer profile qos reason reasonlist reboot reqnodes reqswitch requeue reservation resizetime restartcnt schednodes sct shared siblingsactive siblingsactiveraw siblingsviable siblingsviableraw sperboard starttime state statecompact stderr stdin stdout submittime system_comment threads timelimit timeused tres-alloc tres-bind tres-freq tres-per-job tres-per-node tres-per-socket tres-per-task userid username wait4switch wckey workdir; do echo "$f: $(squeue -h -a -t all -S i -O "$f:|" -j $R,$H,$A,$B,$X,$F,$K,$C,$O 2>&1 | paste -sd' ' | n)"; done 2>&1 | sed -E 's/(pendingtime|accruetime|lastschedeval|allocsid|allocnodes): .*/\1/'
squeue -h -j $H -O 'allocsid:3,pendingtime:.4' | wc -l

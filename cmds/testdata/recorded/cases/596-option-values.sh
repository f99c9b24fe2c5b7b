# topic: submit
# limit: 60
# More values that options take and refuse, and what a job shows of them.
. "$CT_LIB"
F="NumNodes NumCPUs NumTasks CPUs/Task TRES MinCPUsNode MinMemoryNode MinMemoryCPU MinTmpDiskNode Socks/Node NtasksPerN:B:S:C ReqB:S:C:T CoreSpec ThreadSpec Features OverSubscribe Contiguous Licenses Network ReqSwitch Switches Power NodeList ReqNodeList ExcNodeList Reboot Requeue Nice Priority Reason"
o() { out=$(sbatch --parsable -H "$@" --wrap true 2>err); rc=$?; echo "+ $*"; cat err; if [ $rc = 0 ]; then remember $out; field $out $F >f; if [ -e f0 ]; then diff f0 f | grep '^>' ; else cp f f0; cat f; fi; squeue -h -j $out -o '%C|%D|%H|%I|%J|%c|%m|%d|%f|%h|%q|%r|%w|%X|%z|%B|%n|%x|%O|%g'; else echo rc=$rc; fi; }
o
o --mem-per-cpu=0
o --mem-per-cpu=1G -c 4
o --mem-per-cpu=5000 -n 16 -N 1
o --tmp=1
o --tmp=1G
o --tmp=x
o --tmp=0
o --contiguous
o --contiguous -N 2
o -s
o --share
o --exclusive
o --exclusive=user
o --exclusive=mcs
o --exclusive=node
o --exclusive -s
o -s --exclusive
o -O -n 40 -N 1
o -S 1
o -S 0
o -S 17
o --thread-spec=1
o --thread-spec=1 -S 1
o --switches=1
o --switches=1@10
o --switches=1@1:00:00
o --switches=1@x
o --switches=-1
o --switches=0
o --spread-job
o --use-min-nodes -N 1-3
o --no-kill
o --no-kill=off
o --no-kill=x
o -k
o --hint=compute_bound
o --hint=memory_bound
o --hint=multithread
o --hint=nomultithread
o --hint=compute_bound,nomultithread
o --reboot
o --power=level
o --power=x
o --network=x
o --container=/x
o --priority=TOP
o --priority=5
o --priority=x
o --nice=10
o --nice=-10
o --nice=2147483645
o --nice=2147483648
o --nice=1e3
o --nice=
o --prefer=fast
o --prefer=nosuch
o --prefer=fast -C ib
o --prefer='fast&ib'
o --batch=fast -C fast
o --cpu-freq=high
o --cpu-freq=x
o --cpu-freq=1000-2000
o --cpu-freq=low-high:Performance
o --mem-bind=local
o --mem-bind=x
o --wckey=w
o --comment=
o --comment='a b'
o --requeue --no-requeue
o --no-requeue --requeue

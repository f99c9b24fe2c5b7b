# topic: scontrol
# as: root
# limit: 120
# Every key of a job's update, on one that waits, one that runs and one that has ended, each on a job of its own; by owner and root.
. "$CT_LIB"
s() { submit_as alice -o /dev/null "$@"; }
val() { case $1 in Account) echo chem;; ArrayTaskThrottle|CPUsPerTask|NumCPUs|ReqProcs|NumTasks|Nice|SiteFactor|MinCPUsNode|CoreSpec|ThreadSpec|TasksPerNode|ReqCores|ReqSockets|ReqThreads) echo 2;; Contiguous|Requeue|Reboot) echo 1;; Deadline|EndTime|StartTime|EligibleTime) echo 2034-05-06T07:08:09;; DelayBoot) echo 5;; Dependency) echo afterok:650000;; ExcNodeList) echo n1;; NodeList|ReqNodeList|ReqNodes) echo n4;; Features|Prefer) echo slow;; Gres) echo gpu:1;; TRESPerNode) echo gres:gpu:1;; Licenses) echo matlab;; MailType) echo END;; MinMemoryCPU|MinMemoryNode) echo 300;; MinTmpDiskNode) echo 5;; NumNodes) echo 1-2;; OverSubscribe|Shared) echo yes;; Partition) echo single;; Priority) echo 77;; QOS) echo low;; ReservationName) echo nosuch;; Switches) echo 1@5;; TimeLimit) echo 30;; TimeMin) echo 10;; *) echo val;; esac; }
show() { scontrol -o show job $1 | tr ' ' '\n' | grep -vE '^(RunTime|LastSchedEval|Scheduler|EndTime|StartTime|JobId)='; }
d() { show $1 >$CT_STATE/n; diff $CT_STATE/o $CT_STATE/n | grep '^>' | cut -c3- | paste -sd' '; }
one() { local u=$1; shift; for k in $K; do s "$@"; wait_state $J $W; show $J >$CT_STATE/o; echo "$u $k: $(as_user $u scontrol update jobid=$J $k=$(val $k) 2>&1) $? $(d $J)" | sed -E "s/7[0-9]{5}/ID/; s/Priority=1[0-9][0-9]( |$)/Priority=1NN\1/" | normalise; scancel $J; done; }
W=PENDING; K="DelayBoot ExcNodeList Gres MinTmpDiskNode NumNodes Priority QOS ReqCores ResetAccrueTime Conn-Type Contiguous TasksPerNode CoreSpec Reboot Nice"; one alice -H -n 2 -t 60 --wrap true
K="Deadline Contiguous OverSubscribe CoreSpec Reboot Priority"; one root -H -n 2 -t 60 --wrap true
W=RUNNING; K="CPUsPerTask DelayBoot Deadline Gres NumNodes Priority QOS Switches WCKey Contiguous NodeList ReservationName TasksPerNode CoreSpec Reboot Nice Licenses"; one alice -n 2 -t 60 -N1 --wrap "sleep 100"
K="DelayBoot Deadline NumNodes Priority Contiguous OverSubscribe NodeList TasksPerNode ThreadSpec Reboot Nice"; one root -n 2 -t 60 -N1 --wrap "sleep 100"

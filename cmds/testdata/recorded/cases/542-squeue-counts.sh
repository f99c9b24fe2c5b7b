# topic: squeue
# How many nodes, CPUs and tasks a job that waits is said to want, and the order by what is shown.
. "$CT_LIB"
sb() { submit -H -o /dev/null "$@" --wrap true; }
sb -J a -n 2 -c 2 -p single
sb -J b -n 2 -c 2
sb -J c -n 20
sb -J d -n 20 --ntasks-per-node=4
sb -J f -A chem -p chem -c 3
sb -J g -N 2 -n 4 -c 2
sb -J h -n 3 --gres=gpu:1 -C fast -p short
sb -J i --exclusive
sb -J j -n 8 -c 2
sb -J k -n 9 -c 2
sb -J l -n 1 -c 2
sb -J m -n 3 -c 4
sb -J n -n 5 -c 8
sb -J o -N 3 -n 5
sb -J p -n 4 -N 1 -c 4
sb -J q -N 2 --ntasks-per-node=3 -c 2
sb -J r -n 2 --mem=40000
sb -J s -n 40 -c 1 --ntasks-per-core=1
sb -J t -c 20
sb -J u --gpus=6
sb -J w -w 'n[1-3]'
sb -J x -n 64
sb -J y -n 2 --ntasks-per-socket=1
sb -J z -N 1-4 -n 4
squeue -h -S i -o '%j %D %c %C %h %m %X'
squeue -h -S i -O name:4,numnodes:4,maxnodes:4,mincpus:4,maxcpus:4,numcpus:4,numtasks:4,cpus-per-task:4,ntpernode:4,ntpersocket:4,ntpercore:4
for i in $(cat $CT_STATE/ids); do scontrol show job $i | grep -oE '(JobName|NumNodes|NumCPUs|NumTasks|CPUs/Task|MinCPUsNode|TRES|NtasksPerN:B:S:C)=\S+' | paste -sd' '; done
for s in D -D C c m P,D; do echo "$s: " $(squeue -h -S "$s" -o %j | paste -sd' '); done

# topic: squeue
# limit: 60
# Why jobs wait for nodes that others before them wait for, by name or with their partition; the nodes that are planned for them.
. "$CT_LIB"
show() { sleep 1.7; squeue -h -t PD -S i -o '%j %P %r'; }
sub() { submit -o /dev/null "$@" --wrap 'sleep 40'; show; echo; }
nodes() { sinfo -h -p debug -o '%t %T %N' | sort; sinfo -h -p debug -O statecomplete:20,nodelist:8 | sort; sinfo -h -t planned -p debug -o %N; sinfo -h -t idle -p debug -o %N; sinfo -h -p debug -o '%A %F'; scontrol show node n3 | grep -oE ' State=\S+'; }
submit -w n1 --exclusive -t 5 -o /dev/null --wrap 'sleep 40'; A=$J; wait_state $A RUNNING
submit -N 4 --exclusive -t 5 -J wide -o /dev/null --wrap true; W=$J; poll 10 bash -c 'sinfo -h -p debug -t planned -o %N | grep -q n'; sleep 1; nodes; scancel $W; poll 10 bash -c '! sinfo -h -p debug -t planned -o %N | grep -q n'; nodes
submit -N 4 --exclusive -t 5 -J held -o /dev/null --wrap true; W=$J; poll 10 bash -c 'sinfo -h -p debug -t planned -o %N | grep -q n'; scontrol hold $W; poll 10 bash -c '! sinfo -h -p debug -t planned -o %N | grep -q n'; sinfo -h -p debug -o '%t %N' | sort; scancel $W
sub -w n1 -J a; sub -w n1 -J b --nice=10; sub -w n1,n3 -J c --nice=100; sub -N 4 -J d --nice=200; sub -w n1 -N 2 -J e; sub -w n1 -J f --nice=500
sub -p short -N 2 -J g; sub -p debug -N 4 -J h

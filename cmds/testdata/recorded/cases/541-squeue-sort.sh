# topic: squeue
# -S by every letter, ties, several keys, directions, and what is refused.
. "$CT_LIB"
submit -H -J bb -n 3 -N 2 -t 30 --comment=z -C fast --nice=3 --qos=low --wrap true
submit -H -J aa -n 1 -t 60 -p short --comment=a -L ansys --wrap true
submit -H -J cc -n 2 -t 10 -A chem --mem=300 --tmp=5 -w n3 --wrap true
submit -H -J dd -n 2 -p single -c 2 -d singleton --qos=high --wrap true
submit -J ee -n 5 -w n2 --wrap 'sleep 60'; wait_state $J RUNNING
sleep 1.1 # what started last comes first where nothing else tells them apart
submit -J ff -n 5 -w n1 --wrap 'sleep 60'; wait_state $J RUNNING
for l in a A b B c C d D e E f F g G h H i I j J k K l L m M n N o O p P q Q r R s S t T u U v V w W x X y Y z Z; do
	for s in $l -$l; do
		case $l in L|l|M|V) continue;; S|e|p|Q) s=$s,i;; esac
		echo "$s: $(squeue -h -u alice -S "$s" -o '%j' 2>&1 | paste -sd' ') $?"
	done
done
for s in P,j P,-j -P,-t,C,i t,C -t,-C,-i C,j,i '' , 'i,' 'i;j' 'i j' 'ij' +i --i 'i,W' '#' 1 'jobid' 'j ,i' ' i'; do
	echo "[$s]: $(squeue -h -u alice -S "$s" -o '%j' 2>&1 | paste -sd' ') $?"
done
try squeue -S
SQUEUE_SORT=W squeue -h -u alice -o %j 2>&1

# topic: partition
# limit: 60
# Which jobs that are too much for a partition wait, and for what, and which are refused; of one partition and of several.
. "$CT_LIB"
s() { out=$(sbatch --parsable -o /dev/null "$@" --wrap 'sleep 20' 2>&1) || { echo "+ $*: $out"; return; }; remember $out; echo "+ $*: accepted"; ids="$ids $out"; }
ids=
s -p closed -N 1; s -p closed -N 2; s -p closed -n 17; s -p closed -w n1; s -p closed -C fast; s -p closed -c 17; s -p closed -t 5-0
s -p chem -A chem -N 2; s -p chem -A chem -n 17; s -p chem -A chem -c 17; s -p chem -A chem --mincpus=17; s -p chem -A chem -w n1
s -p single -c 17; s -p single -c 17 -n 2 --mem=65000; s -p single -N 2 -C fast; s -p single -w n3,n1; s -p single -N2 -w n3,n1; s -p single -w n3,n1,n2
s -c 17 -n 4; s -c 17 -n 3; s --mem=65000 -n 65; s --mincpus=17 -n 65; s --ntasks-per-node=17 -n 34; s -B 3 -n 65; s --gres=gpu:5 -N5; s -C nosuch -n 65
s -p short -t 3:00:00 -N 3; s -p short -t 3:00:00 -c 17; s -p short --gres=gpu:v100:1 -t 3:00:00; s -p short --gres=gpu:v100:1; s -p short -w n1,n3; s -p short -w n1,n3,n4; s -p short -w n3 -t 3:00:00
s -p short,closed -N 3; s -p closed,short -N 3; s -p short,single -N 3; s -p single,closed -N 2; s -p closed,single -N 2; s -p closed,debug -N 5; s -p debug,closed -N 5
s -p short,closed -n 33; s -p closed,short -n 33; s -p short,single -n 33; s -p short,single -t 3-0; s -p closed,short -t 3:00:00; s -p short,closed -t 3:00:00; s -p short,single -t 3:00:00 -N 2
sleep 2.5
for i in $ids; do squeue -h -j $i -o '%T %r %D %C'; done

# topic: srun
# limit: 60
# Steps that wait for what other steps of the job hold, or do not.
. "$CT_LIB"
cat >job.sh <<'X'
#!/bin/bash
#SBATCH -n 4 -o s.out
say() { sort err; }
hold() { srun -Q "$@" sleep 3 & H=$!; sleep 0.7; }
ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
# Who holds does so for 3 s, of which some 2 are left when the other asks.
t() { local b=$(ms); srun "$@" echo ran 2>err | sort | uniq -c; echo "rc=${PIPESTATUS[0]} $([ $(($(ms) - b)) -ge 1300 ] && echo waited || echo at once)"; sort err; }
echo == plain; hold -n 4; t -n 1; wait
echo == immediate; hold -n 4; t -n 1 -I | sed 's/ at once$//; s/ waited$//'; wait
echo == overlap; hold -n 4 --mem=100; t -n 1 --overlap --mem=0; wait
echo == held overlap; hold -n 4 --overlap; t -n 1; wait
echo == exact; hold -n 2 --exact; t -n 2 --exact; wait
echo == exact too much; hold -n 3 --exact; t -n 2 --exact; wait
echo == exclusive; hold -n 2 --exclusive; t -n 2 --exclusive; wait
echo == exclusive then plain; hold -n 2 --exclusive; t -n 1; wait
echo == quiet; hold -n 4; t -Q -n 1; wait
echo == never; t -n 5; t -N 2; t --mem=100000 -n 1; t -w n4 -n1
X
submit -w n1 job.sh; poll 58 _ended $J; normalise <s.out

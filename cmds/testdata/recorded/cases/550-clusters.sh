# topic: clusters
# --clusters of every command: another cluster, several, this one among others, none.
. "$CT_LIB"
submit -H -J one -o /dev/null --wrap true; A=$J; known $A
t() { echo "== $1 $2 $3"; "$@" 2>&1 | normalise | head -${N:-4}; echo "rc=${PIPESTATUS[0]}"; }
for list in b b,c ref,b , ''; do
	t squeue -M "$list" -j $A -h -o '%i %j'
	t sinfo -M "$list" -h -p short -o '%P %D'
	t scancel -M "$list" 999999
	t sprio -M "$list" -h -j 999999
	t sacct -M "$list" -n -X -P -j $A -o jobname
	t sshare -M "$list" -h -A physics -o account
	t strigger -M "$list" --get -n
	t scontrol -M "$list" show partition short -o | sed 's/AllowGroups.*//'
	N=40 t sdiag -M "$list" | grep -E 'error|==|rc|Jobs submitted:' | sed 's/: *[0-9]*$//'
done
t sbatch -M b,c --wrap true; t srun -M b true; t salloc -M b,c true
scancel $A

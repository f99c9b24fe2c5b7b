# topic: sbatch
# #SBATCH lines: quotes, remarks, places they may stand in, and options that are not what they seem.
. "$CT_LIB"
s() {
	submit -H "$@" || return
	scontrol -o show job $J | sed -E 's/ +([A-Z][A-Za-z:\/]+=)/\n\1/g' |
		grep -E '^(JobName|Comment|TimeLimit|NumTasks|NumNodes|Partition|Features|Std...|StdIn|WorkDir|Dependency|Licenses|TresPerNode|Requeue|Nice|Mail....)=' | normalise | sed -E 's/J[0-9]+/J/' >f
	if [ -e f0 ]; then diff f0 f | grep '^>'; else cp f f0; cat f; fi
}
w() { printf '%s\n' '#!/bin/bash' "$@" >d.sh; echo "+ $*"; s d.sh; }
w ':'
w '#SBATCH --comment="a b" -J "x y"' ':'
w "#SBATCH --comment='a \"b\" c'" ':'
w '#SBATCH --comment=a\ b' ':'
w '#SBATCH --comment="a\"b"' ':'
w '#SBATCH --comment=$HOME' ':'
w '#SBATCH --comment=`date`' ':'
w '#SBATCH -J a#b' ':'
w '#SBATCH -J a #b -t 5' ':'
w '#SBATCH -J a # b' ':'
w '#SBATCH -Ja -t5 -n2' ':'
w '#SBATCH -J=a' ':'
w '#SBATCH --job-name a' ':'
w '#SBATCH --job-name=a b' ':'
w '#SBATCH	-J	tab' ':'
w '#SBATCH   --time   7' ':'
w '#SBATCH --time = 7' ':'
w '#sbatch -J lower' ':'
w '# SBATCH -J space' ':'
w '##SBATCH -J two' ':'
w ' #SBATCH -J lead' ':'
w '#SBATCH-J glued' ':'
w '#SBATCH: -J colon' ':'
w '' '' '#SBATCH -J after blank' ':'
w 'set -e' '#SBATCH -J after cmd' ':'
w '# comment' ': <<X' '#SBATCH -J heredoc' 'X' ':'
w '#SBATCH -n 2' '#SBATCH -n 3' ':'
w '#SBATCH -n 2 -n 4' ':'
w '#SBATCH --ntasks=2 --nodes=2 --ntasks-per-node=1' ':'
w '#SBATCH -N 1-2' ':'
w '#SBATCH -p short,debug -C fast\&ib' ':'
w '#SBATCH -C "fast&ib"' ':'
w '#SBATCH -C fast&ib' ':'
w '#SBATCH --gres=gpu:1 # two' ':'
w '#SBATCH -o %x.out -e %x.err -i in' ':'
w '#SBATCH -o "sp ace.out"' ':'
w '#SBATCH --mail-type=end,fail --mail-user="a@b c"' ':'
w '#SBATCH --exclusive --requeue' ':'
w '#SBATCH --no-requeue --nice' ':'
w '#SBATCH --nice=3 -d singleton -L matlab' ':'
w '#SBATCH -t 5 ; -J x' ':'
w '#SBATCH -t 5; -J x' ':'
w '#SBATCH "-J" "q"' ':'
w '#SBATCH "-J q"' ':'
w '#SBATCH --' '#SBATCH -J x' ':'
w '#SBATCH --parsable' ':'
w '#SBATCH -H' ':'
w '#SBATCH --ntask=3' ':'
w '#SBATCH --n=3' ':'
w '#SBATCH --no=3' ':'
w '#SBATCH --comm=abbr' ':'
w '#SBATCH -nx' ':'
w '#SBATCH -t' ':'
w '#SBATCH -t ""' ':'
w '#SBATCH -n=2' ':'
w '#SBATCH --ntasks' ':'
w '#SBATCH file' ':'
w '#SBATCH -J x \' '#SBATCH -t 5' ':'
printf '#!/bin/bash\r\n#SBATCH -J crlf\r\n:\r\n' >d.sh; s d.sh
printf '#!/bin/bash\n#SBATCH -J noeol' >d.sh; s d.sh
printf '#!/usr/bin/env python3\n#SBATCH -J py\nprint(1)\n' >d.sh; s d.sh
printf '#! /bin/bash -l\n#SBATCH -J dashl\n:\n' >d.sh; s d.sh
printf '\n#!/bin/bash\n#SBATCH -J second\n:\n' >d.sh; s d.sh
printf '#!/nosuch\n#SBATCH -J nosuch\n:\n' >d.sh; s d.sh

# topic: sbatch
# limit: 60
# How the lines of a script are read: quotes, marks, foreign schedulers, odd files.
. "$CT_LIB"
d() { printf '%s\n' "$@" >d.sh; echo "+ $(head -4 d.sh | tail -3 | paste -sd'~')"; try sbatch -H d.sh | sed 's/ J[0-9]*$/ J/'; field $(tail -1 $CT_STATE/ids) JobName Comment TimeLimit NumNodes NumTasks Partition StdOut MinMemoryNode MinMemoryCPU Features | paste -sd' ' | sed 's/J[0-9]*/J/g'; }
d '#!/bin/bash' '#SBATCH --job-name=a#b' '#SBATCH -n2 #-N2' true
d '#!/bin/bash' '#SBATCH --job-name "x y" --comment "it'"'"'s"' true
d '#!/bin/bash' "#SBATCH --comment='a \"b\" c'" true
d '#!/bin/bash' '#SBATCH --comment="a \"b\" c"' true
d '#!/bin/bash' '#SBATCH --comment=a\ b' true
d '#!/bin/bash' '#SBATCH --comment="a'"'"'b' true
d '#!/bin/bash' '#SBATCH	-J	tab	-n	3' true
d '#!/bin/bash' '#SBATCH -J one' '#SBATCH -Jtwo' true
d '#!/bin/bash' '#SBATCH --time 10 --nodes 2' true
d '#!/bin/bash' '#SBATCH --tim=10' true
d '#!/bin/bash' '#SBATCH --nodes=2 --ntasks=4' ' ' '#SBATCH -J after' true
d '#!/bin/bash' '#SBATCH -J x' ': # cmd' '#SBATCH -J y' true
d '#!/bin/bash' '#SBATCH -J "multi' 'line"' true
d '#!/bin/bash' '#sbatch -J lower' true
d '#!/bin/bash' '#SBATCH-J joined' true
d '#!/bin/bash' '#SBATCH: -J colon' true
d '#!/bin/bash' '#SBATCH -J=eq' true
d '#!/bin/bash' '#SBATCH --job-name=' true
d '#!/bin/bash' '#SBATCH --job-name' true
d '#!/bin/bash' '#SBATCH -N two' true
d '#!/bin/bash' '#SBATCH --wrap=true' true
d '#!/bin/bash' '#SBATCH --parsable' true
d '#!/bin/bash' '#SBATCH -Q' true
d '#!/bin/bash' '#SBATCH --test-only' true
d '#!/bin/bash' '#SBATCH --help' true
d '#!/bin/bash' '#SBATCH -V' true
d '#!/bin/bash' '#SBATCH --hold=1' true
d '#!/bin/bash' '#SBATCH --exclusive' '#SBATCH --mem=1G' true
d '#!/bin/bash' '#SBATCH -p short,debug' '#SBATCH -t 5' true
d '#!/bin/bash' '#SBATCH --mem-per-cpu=10M' '#SBATCH --mem=20' true
d '#!/bin/bash' '#SBATCH --mem=20' '#SBATCH --mem-per-cpu=10M' true
d '#!/bin/bash' '#SBATCH -o $HOME/%j.out' true
d '#!/bin/bash' '#SBATCH -o ~/%j.out' true
d '#!/bin/bash' '#SBATCH -J $USER' true
d '#!/bin/bash' '#SBATCH -J first -- -J second' true
d '#!/bin/bash' '#SBATCH -J first - -J second' true
d '#!/bin/bash' '#BSUB -J bsub' '#BSUB -n 3' true
d '#!/bin/bash' '#BSUB -W 10' '#BSUB -q short' '#BSUB -o b.out' true
d '#!/bin/bash' '#PBS -l nodes=2:ppn=3' true
d '#!/bin/bash' '#PBS -l mem=200mb,walltime=30' '#PBS -q short' true
d '#!/bin/bash' '#PBS -A chem' '#PBS -o p.out' '#PBS -j oe' true
d '#!/bin/bash' '#PBS -l select=2:ncpus=4' true
d '#!/bin/bash' '#PBS -X' true
d '#!/bin/bash' '#PBS -N pbs' '#SBATCH -J slurm' true
d '#!/bin/bash' '#SBATCH -J slurm' '#PBS -N pbs'  true
d '#!/bin/bash' '#SBATCH --ignore-pbs' '#PBS -N pbs'  true
SBATCH_IGNORE_PBS=1 d '#!/bin/bash' '#PBS -N pbs'  true
d '#!/usr/bin/env python3' '#SBATCH -J py' 'print(1)'
d '#!/bin/sh -e' '#SBATCH -J sh' 'true'
d '' '#SBATCH -J blank' 'true'
d '# !/bin/bash' '#SBATCH -J nobang' 'true'
d ' #!/bin/bash' '#SBATCH -J lead' 'true'
d '#!/bin/bash'
printf '#!/bin/bash\r\n#SBATCH -J crlf\r\ntrue\r\n' >d.sh; try sbatch -H d.sh
printf '#!/bin/bash\n#SBATCH -J mid\r\ntrue\n' >d.sh; try sbatch -H d.sh
printf '#!/bin/bash\n#SBATCH -J noeol' >d.sh; try sbatch -H d.sh; field $(tail -1 $CT_STATE/ids) JobName
: >d.sh; try sbatch -H d.sh
printf '   \n\n' >d.sh; try sbatch -H d.sh
printf '#!/bin/bash\n\0true\n' >d.sh; try sbatch -H d.sh
mkdir dd; try sbatch -H dd
printf '#!/bin/bash\n' >d.sh; chmod 0 d.sh; try sbatch -H d.sh
printf '\177ELF' >d.bin; try sbatch -H d.bin
try sbatch -H /bin/true

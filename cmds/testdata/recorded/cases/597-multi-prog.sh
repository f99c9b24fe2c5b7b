# topic: srun
# limit: 60
# Files of --multi-prog: ranks, quotes, what goes wrong in them.
. "$CT_LIB"
m() { local n=$1; shift; echo "+ -n $n $*"; cat conf; timeout 10 srun -l -n $n --multi-prog "$@" conf >o 2>e </dev/null; rc=$?; sort o; sed -E 's/7[0-9]{5}/ID/g; s/AT [0-9T:-]+ /AT T /' e | normalise | sort; echo rc=$rc; }
c() { printf '%s\n' "$@" >conf; }
c '0 echo a %t %o %%' '1 echo b %t%o' ; m 2
c '0-3 echo t=%t o=%o' ; m 4
c '1,3 echo odd %t %o' '0,2 echo even %t %o'; m 4
c '* echo all %t %o'; m 3
c '0 echo first' '* echo rest %t %o'; m 3
c '0-9 echo many %t'; m 2
c '0 echo a' '5 echo b'; m 2
c '0 echo a' '0 echo b' '1 echo c'; m 2
c '0 nosuchprogram' '1 echo b'; m 2
c '0 /nosuch/program' '1 echo b'; m 2
c '0'; m 1
c '0 '; m 1
c ''; m 1
c '# only' ; m 1
c 'echo a'; m 1
c 'x echo a'; m 1
c '0-x echo a'; m 1
c '1-0 echo a'; m 2
c '0- echo a'; m 1
c '-1 echo a'; m 1
c '0,1, echo a %t'; m 2
c '0, 1 echo a'; m 2
c '[0-1] echo a %t'; m 2
c '0 echo "two  words" '"'"'one  word'"'"' a\ b'; m 1
c '0 echo $SLURM_PROCID $HOME_X' ; HOME_X=x m 1
c '0 sh -c "echo $SLURM_PROCID"'; m 1
c "0 sh -c 'echo p \$SLURM_PROCID'"; m 1
c '0 echo a # comment'; m 1
c '  0   echo   lead'; m 1
c '0	echo	tabbed'; m 1
c '0:2 echo stride %t' '1 echo one'; m 3
c '0-3:2 echo ev %t' '1,3 echo od %t'; m 4
c '0 sh -c "exit 3"' '1 sh -c "exit 5"'; m 2
c '0 echo %%t %%%t %x %'; m 1
c '0 pwd' '1 env -C / pwd'; m 2 -D /tmp
printf '0 echo nonl' >conf; m 1
c '0 echo a'; srun --multi-prog; echo rc=$?
srun --multi-prog -n 1 /etc; echo rc=$?
c '0 echo a' '1 echo b'; echo "in" | srun -l -n 2 --multi-prog conf | sort
c '0 cat' '1 cat'; echo "in" | srun -l -n 2 --multi-prog conf | sort
c '0 cat' '1 echo b'; echo "in" | srun -l -n 2 -i 0 --multi-prog conf | sort
c '0 echo $1' ; srun -n 1 --multi-prog conf arg1; echo rc=$?
c '0-1 printenv SLURMD_NODENAME' ; srun -l -N 2 -n 2 --multi-prog conf | sort
chmod 0 conf; srun -n 2 --multi-prog conf 2>&1; echo rc=$?
chmod 644 conf; c '0 echo s' '1 echo t'; submit -n 2 -o s.out --wrap 'srun -l --multi-prog conf | sort; srun -n1 --multi-prog conf'; wait_done $J; normalise <s.out

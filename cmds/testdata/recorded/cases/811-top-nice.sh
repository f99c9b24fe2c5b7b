# topic: scontrol
# scontrol top, who gives what it takes; priorities as they change, of jobs that wait for different things.
. "$CT_LIB"
s() { submit -p closed -o /dev/null "$@" --wrap true; }
ls_() { squeue -h -u alice -S -p,i -o '%i %j %y %Q' | normalise | paste -sd';'; }
s -J a; A=$J; s -J b; B=$J; s -J c; C=$J; ls_; try scontrol top $C; ls_; try scontrol top $B; ls_; try scontrol top $B; ls_; try scontrol top $A,$B; ls_; scancel -u alice
s -J a; A=$J; s -J b; B=$J; scontrol update jobid=$B nice=100; ls_; try scontrol top $B; ls_; scancel -u alice
s -J a; A=$J; s -J b --nice=50; B=$J; s -J c -a 1-3; C=$J; ls_; try scontrol top $B; ls_; try scontrol top $C;  ls_; try scontrol top ${C}_2; ls_; scancel -u alice
s -J a; A=$J; s -J b -n 4; B=$J; s -J c -A chem; C=$J; s -J d --qos=low; D=$J; s -J e -H; E=$J; s -J f --begin=now+1hour; F=$J; ls_; try scontrol top $A; ls_; try scontrol top $E; ls_; try scontrol top $F; ls_; try scontrol top $C; ls_; scancel -u alice
submit -p closed -J a --wrap true; A=$J; submit -H -J b --wrap true; B=$J; submit --begin=now+1hour -J c --wrap true; C=$J; submit --exclusive -N4 --wrap 'sleep 30'; X=$J; wait_state $X RUNNING; submit -t 5 -J d --wrap true; D=$J; wait_reason $D Resources
l() { squeue -h -S i -j $A,$B,$C,$D -o '%j %y %Q' | paste -sd';'; }
l; for w in nice=100 nice=50 qos=high partition=short nice=0; do for j in $A $B $C $D; do scontrol update jobid=$j $w; done; l; done

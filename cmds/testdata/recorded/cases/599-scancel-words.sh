# topic: scancel
# limit: 60
# Words of scancel: lists, filters and variables that name nothing, or not what they seem to.
. "$CT_LIB"
s() { echo "+ scancel $*" | normalise; timeout 10 scancel "$@" >o.txt 2>&1 </dev/null; rc=$?; normalise <o.txt; echo "rc=$rc"; }
left() { sleep 0.3; squeue -h -S i -u alice -t PD,R -o '%j %T' | paste -sd' '; }
h() { submit -H -J $1 "${@:2}" --wrap true; }
h a; A=$J; h b -p short; B=$J; h c -A chem; C=$J; h d -q low; D=$J; h e -a 1-3; E=$J; submit -J r -o /dev/null --wrap 'sleep 60'; R=$J; wait_state $R RUNNING
left
s -v $A; s $B; s -v 650000; left
s --state=RUNNING -u alice -n zz; s -t RUNNING,PENDING -n zz; s -t bogus; s -t R,bogus
s -n c,d; left
s -p short,debug -t PD; left
h a; A=$J; h b -p short; B=$J; h c -A chem; C=$J; h d -q low; D=$J; h e -a 1-3; E=$J
s -A chem -n c; s -q low; s --qos=nosuch; s --account=nosuch; s --partition=nosuch; s --reservation=nosuch; s --wckey=x; s -w n9; left
s ${E}_1,${E}_3; s "${E}_[2-3]"; s ${E}_2; left
s $A,$B; s $A $B; s "$A $B"; left
s -t PENDING $R; s -t RUNNING $A; left
s -n nomatch $R; s -u bob $R; s -p short $R; left
s --me -n zz; s --me -t PD; left
s -b $R; s -f -s USR1 650000; s -s USR1 -b 650000; s -s 0 650000; s -s 99 $R; s -s SIGUSR3 $R; s --signal=usr2 -n zz
s; s -s KILL; s -Z; s --nosuch; s $R.batch; wait_done $R; state $R
h g; s -w n1 $J; s -w n1; left; s -Q $J; s -Q $J; s --hurry $J
SCANCEL_STATE=PENDING s -n zz; SCANCEL_STATE=bogus s -n zz; SCANCEL_USER=alice s -n zz; SCANCEL_PARTITION=nosuch s; SCANCEL_QOS=nosuch s; SCANCEL_ACCOUNT=chem s -n zz; SCANCEL_VERBOSE=1 s -n zz; SCANCEL_WCKEY=w s -n zz; SCANCEL_BATCH=1 s -n zz; SCANCEL_CTLD=1 s 650000; SCANCEL_FULL=1 s -n zz

# topic: sbcast
# sbcast and sattach: what they take and refuse.
. "$CT_LIB"
b() { echo "$*: $("$@" 2>&1 | sed "s/$$/PID/g; s/\.[0-9]\+ sec/ sec/" | paste -sd'~') ${PIPESTATUS[0]}" | sed "s/$$/PID/g" | normalise; }
echo data >f; chmod 640 f; ln -s f link
b sbcast f /tmp/bc-$$; b sbcast; b sbcast f; b sbcast f a b; b sbcast --nosuch f x; b sbcast nosuch /tmp/bc-$$; b sbcast -j 1 f /tmp/bc-$$; b sbcast -j x f /tmp/bc-$$; b sbcast -s 0 f /tmp/x; b sbcast -s x f /tmp/x; b sbcast -t x f /tmp/x; b sbcast -F x f /tmp/x; b sbcast -C nosuch f /tmp/x; b sbcast --compress=none -j 1 f /tmp/x; b sbcast -j 1 . /tmp/x
cat >s.sh <<'X'
#!/bin/bash
cd $1; T=/tmp/bc-$2
r() { echo "$*: $("$@" 2>&1 | sed "s#$T#TMP#g; s/time=.*//" | paste -sd'~') ${PIPESTATUS[0]}" | sed "s#$T#TMP#g"; }
r sbcast f $T-1; cat $T-1; stat -c %a $T-1; r sbcast f $T-1; r sbcast -f f $T-1; chmod 755 f; r sbcast -f f $T-1; stat -c %a $T-1; touch -d 2020-01-01 f; r sbcast -fp f $T-1; stat -c '%a %y' $T-1 | cut -d. -f1; r sbcast f /nosuchdir/x; r sbcast -C f $T-3; cat $T-3; r sbcast -Clz4 f $T-4; r sbcast -s 1k f $T-6; r sbcast --size=1 f $T-7; cat $T-7; r sbcast -F 1 f $T-8; r sbcast -t 10 f $T-9; r sbcast link $T-10; cat $T-10; r sbcast . $T-11; r sbcast nosuch $T-12; : >empty; r sbcast empty $T-13; stat -c %s $T-13; r sbcast -j $SLURM_JOB_ID f $T-14; r sbcast -j $SLURM_JOB_ID.batch f $T-15; r sbcast -j $SLURM_JOB_ID.99 f $T-16; head -c 9000000 /dev/zero >big; r sbcast big $T-17; cmp big $T-17 && echo same; srun -n1 sbcast f $T-18; cat $T-18; r sbcast --send-libs=no f $T-19; r sbcast --force --preserve --compress f $T-1; SBCAST_FORCE=1 r sbcast f $T-1; SBCAST_COMPRESS=lz4 r sbcast f $T-22
rm -rf $T-*
X
submit -N1 -n2 -o o.txt --wrap "bash $PWD/s.sh $PWD $$"; wait_done $J; normalise <o.txt
b sattach; b sattach x; b sattach 1; b sattach 1.0; b sattach 1.x; b sattach --nosuch 1.0; b sattach 1.0 2.0; b sattach --input-filter=x 1.0; b sattach 1.batch; b sattach 999999999.0
submit -w n1 -n 2 -o /dev/null --wrap 'srun -n 2 sh -c "touch up\$SLURM_PROCID; while [ ! -e go ]; do sleep 0.1; done; echo out \$SLURM_PROCID; echo err \$SLURM_PROCID >&2"'; wait_state $J RUNNING; poll 10 bash -c "squeue -h -s -j $J | grep -q '\.0'"; poll 10 test -e up0; poll 10 test -e up1; b sattach --layout $J.0; b sattach $J.9; (sattach -l $J.0 >so 2>se; echo $? >rc) & sleep 3; touch go; wait; cat rc; sort so; sort se; wait_done $J; rm -f go up0 up1
submit -n 2 -o /dev/null --wrap 'srun -n 2 sh -c "touch up\$SLURM_PROCID; while [ ! -e go ]; do sleep 0.1; done; echo out \$SLURM_PROCID; echo err \$SLURM_PROCID >&2"'; wait_state $J RUNNING; poll 10 bash -c "squeue -h -s -j $J | grep -q '\.0'"; poll 10 test -e up0; poll 10 test -e up1; (sattach --output-filter=1 --error-filter=0 $J.0 >so 2>se </dev/null; echo $? >rc) & sleep 3; touch go; wait; cat rc; sort so; sort se; wait_done $J

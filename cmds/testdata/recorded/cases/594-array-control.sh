# topic: array
# limit: 60
# What is said of arrays of which some tasks have ended, and of tasks that are not there.
. "$CT_LIB"
q() { squeue -h -t all -j $1 -S i -o '%i %T %r %j %l' | normalise; }
c() { echo "+ scontrol $*" | normalise; timeout 10 scontrol "$@" >o 2>&1; rc=$?; normalise <o; echo rc=$rc; }
submit -H -a 1-6 -J ar -t 60 -o /dev/null --wrap 'sleep 60'; A=$J
c release ${A}_1; c release ${A}_2; wait_state ${A}_2 RUNNING; wait_state ${A}_1 RUNNING; scancel ${A}_2; wait_done ${A}_2
q $A
c update jobid=$A name=all; q $A
c update jobid=${A}_[1-3] timelimit=30; q $A
c update jobid=${A}_1 timelimit=20; q $A
c update jobid=${A}_2 timelimit=20
c update jobid=${A}_[5-8] comment=x
c update jobid=${A}_[7-8] comment=x
c hold $A; q $A
c hold ${A}_1
c hold ${A}_[1,4]
c release $A; wait_state ${A}_6 RUNNING; q $A
c suspend $A
c suspend ${A}_3
c requeue ${A}_[3-4]; sleep 0.5; q $A
c requeuehold ${A}_5; sleep 0.5; q $A
c requeue $A; sleep 0.5; q $A
c hold $A; q $A
c update jobid=${A} timelimit=bad
c update jobid=${A}_x name=z
c update jobid=${A}_ name=z
c update jobid=${A}_[ name=z
c update jobid=${A}_3,${A}_4 name=list; q $A
c update jobname=all comment=q
c update jobid=${A}_* name=star; q $A
c hold ${A}_3 ${A}_4
c hold ${A}_3,${A}_4
c write batch_script ${A}_3 -
c top $A
c notify ${A}_3 hi
c uhold $A; q $A
scancel "${A}_[3-4]"; q $A
scancel $A; wait_done $A; q $A
c hold $A; c release $A; c update jobid=$A name=late; c requeue $A; sleep 0.5; q $A; scancel $A

# topic: srun
# limit: 60
# Small things of srun: hooks, environment, limits, copies.
. "$CT_LIB"
run() { echo "== $*" | normalise; srun "$@" 2>err >out; local rc=$?; sort out; echo rc=$rc; sort err | sed 's#launch/slurm: _step_signal: ##' | normalise; }
export ONE=1 TWO=2
v='echo ONE=${ONE-unset} TWO=${TWO-unset} X=${X-unset} HOME=${HOME-unset} EXP=${SLURM_EXPORT_ENV-unset}'
for e in ALL NONE NIL ONE ONE,TWO X=3 ALL,X=3 NONE,X=3 ONE=5 ALL,ONE ''; do run --export="$e" /bin/sh -c "$v"; done
SLURM_EXPORT_ENV=ONE run /bin/sh -c "$v"
SRUN_EXPORT_ENV=NONE run /bin/sh -c "$v"
SLURM_EXPORT_ENV=NONE run --export=ALL /bin/sh -c "$v"
printf '#!/bin/sh\necho hook $SLURM_SCRIPT_CONTEXT ${SLURM_JOB_ID:+job} ${SLURM_STEP_ID-nostep}\n' >hook; chmod +x hook
run --prolog=$PWD/hook --epilog=$PWD/hook echo body
run --prolog=$PWD/nosuch echo body
printf '#!/bin/sh\nexit 3\n' >bad; chmod +x bad
run --epilog=$PWD/bad echo body
printf '#!/bin/sh\necho "export X=prolog"\necho print printed\necho unset ONE\necho noise\necho error >&2\n' >tp; chmod +x tp
run --task-prolog=$PWD/tp -n 2 sh -c "$v"
run --task-prolog=$PWD/nosuch sh -c "$v"
run --task-prolog=$PWD/bad sh -c "$v"
run --task-epilog=$PWD/bad sh -c "$v"
SLURM_TASK_PROLOG=$PWD/tp run sh -c "$v"
printf '#!/bin/sh\necho copied $0\n' >prog; chmod +x prog
run --bcast=/tmp/bc ./prog; ls /tmp/bc 2>&1; rm -f /tmp/bc
run --bcast ./prog 2>&1 | sed -E 's#copied .*slurm_bcast_.*#copied slurm_bcast_X#'
run -D / pwd
run -D relative pwd
SLURM_WORKING_DIR=/tmp run pwd
SLURM_REMOTE_CWD=/tmp run pwd
(ulimit -n 200; run --propagate=NOFILE sh -c 'ulimit -n'; run --propagate=CORE sh -c '[ $(ulimit -n) = 200 ] && echo same || echo other'; run --propagate=ALL sh -c 'ulimit -n')
run --propagate=NOSUCH true
run --mpi=nosuch true
run --mpi=none echo none
run -t 0:0 true
run --jobid=650000 true
run --jobid=x true
SLURM_JOB_ID=650000 run true
run -I5 echo now
run -N 5 -I true
run -Z echo x
run --test-only true 2>&1 | sed -E 's/Job [0-9]+/Job N/; s/at [0-9T:-]+/at T/'
run -n 0 true
run -N 0 true
run -c 0 true
run -N 2-1 true
run -n x true
run --nosuch true
run --multi-prog nosuch
printf '0 echo zero\n' >mp; run --multi-prog mp
printf '0-1 echo t%%t o%%o\n2 nosuchprogram\n' >mp; run -n 3 --multi-prog mp
printf '0 echo a\n\n#c\n 1   echo  "b  c"  d\\\n' >mp; run -n 2 --multi-prog mp
printf 'x echo a\n' >mp; run -n 1 --multi-prog mp
printf '0 ./nosuch\n' >mp; run -n 1 --multi-prog mp
printf '*\n' >mp; run -n 1 --multi-prog mp

# topic: srun
# limit: 60
# A terminal for task 0.
. "$CT_LIB"
term() { timeout 15 script -qec "$*" /dev/null </dev/null | tr -d '\r\000'; echo rc=${PIPESTATUS[0]}; }
command -v script >/dev/null || exit 0
echo == tty; term 'srun --pty tty' | sed -E 's#/dev/pts/[0-9]+#PTS#'
echo == size; term 'stty rows 33 cols 101; srun --pty stty size'
echo == code; term 'srun --pty sh -c "exit 3"'
echo == two; term 'srun -n 2 --pty sh -c "echo task \$SLURM_PROCID; [ -t 0 ] && echo terminal; true"' | sort
echo == env; term 'stty rows 33 cols 101; srun --pty sh -c "env | grep PTY_WIN"' | sort
echo == restored; term 'stty -echo; stty -a | grep -o "[-]*echo " >a; srun --pty true; stty -a | grep -o "[-]*echo " >b; cmp a b && echo same'
echo == input; printf 'hello\nexit\n' | timeout 15 script -qec 'srun --pty sh -c "read x; echo got \$x"' /dev/null | tr -d '\r' | grep -o 'got hello'
echo == noterm; srun --pty echo no terminal </dev/null 2>&1 | tr -d '\r'
echo == err; term 'srun --pty -e e.out sh -c "echo o; echo e >&2"'; cat e.out 2>/dev/null

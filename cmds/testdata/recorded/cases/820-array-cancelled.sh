# topic: array
# How an array is listed of which tasks were cancelled before they began, one by one, by filters or as a whole.
. "$CT_LIB"
q() { squeue -h -t all -j $J -S i -o '%i|%F|%K|%T|%r' | normalise; squeue -h -r -t all -j $J -S i -o '%i|%K' | normalise; }
echo == list; submit -H -a 1-3 --wrap true; scancel ${J}_[1-3]; q
echo == name; submit -H -a 1-3 -J fil --wrap true; scancel -n fil; q
echo == state; submit -H -a 1-3 --wrap true; scancel -t PD $J; q
echo == user; submit -H -a 1-3 --wrap true; scancel -u alice; q
echo == whole; submit -H -a 1-3 --wrap true; scancel $J; q
echo == single; submit -H -a 7 --wrap true; q; scancel ${J}_7; q
echo == two; submit -H -a 1-3 --wrap true; scancel ${J}_1 ${J}_2; q; scancel ${J}_3; q
echo == left; submit -H -a 1-3 --wrap true; scancel ${J}_[1-2]; q; scancel $J; q
echo == released; submit -H -a 1-3 -o /dev/null --wrap 'sleep 20'; scancel ${J}_[1-2]; scontrol release $J; wait_state ${J}_3 RUNNING; q; scancel $J; wait_done $J; q
echo == running; submit -a 1-3 -n 16 -w n1 -o /dev/null --wrap 'sleep 20'; wait_state ${J}_1 RUNNING; sleep 1; scancel ${J}_2; q; scancel ${J}_3; q; scancel $J; wait_done $J
echo == last; submit -a 1-2 -n 16 -w n1 -o /dev/null --wrap 'sleep 20'; wait_state ${J}_1 RUNNING; sleep 1; q; scancel -t PD -u alice; q; scancel $J; wait_done $J
echo == throttle; submit -a 1-4%1 -o /dev/null --wrap 'sleep 20'; wait_state ${J}_1 RUNNING; sleep 1; scancel ${J}_[2-3]; q; scancel ${J}_4; q; scancel $J

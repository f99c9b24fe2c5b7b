# topic: sacct
# State filters, alone, with times, wrong ones, by number, -i -W -g -x -k -K.
. "$CT_LIB"
sleep 1.1; t0=$(date +%FT%T); sleep 1.1
submit -H -J fine -t 5 --wrap 'exit 0'; A=$J; submit -H -J bad -t 5 --wrap 'exit 3'; B=$J; submit -H -J long -t 1-0 -n 4 --wrap 'sleep 100'; C=$J; submit -H -J held -t 90 --wrap true; D=$J; known $A $B $C; wait_acct $A COMPLETED; wait_acct $B FAILED; wait_state $C RUNNING; poll 10 bash -c "sacct -n -X -j $C -o State | grep -q RUNNING"; poll 12 _known $D; sleep 1.1
q() { echo "$*: $(sacct -n -X -P -S $t0 -o JobName "$@" 2>&1 | sed 's/\(normal,low,scav,tiny,strict,high\).*/\1/' | sort | paste -sd' ' | normalise)"; }
q; q -s R; q -s PD; q -s R,PD; q -s CD,F; q -s running; q -s pending -E now; q -s RUNNING -E now; q -s COMPLETED -E now; q -s completed,failed -E now; q -s TO -E now; q -s CA -E now; q -s NF -E now; q -s S -E now; q -s CG -E now; q -s OOM -E now; q -s RQ -E now; q -s RS -E now; q -s RV -E now; q -s DL -E now; q -s BF -E now; q -s PR -E now; q -s nosuch -E now; q -s '' -E now; q -s 'CD, F' -E now
q -g alice; q -g bob; q -g 3001; q --gid=nosuch; q -u 3001; q --uid=3001; q --user=alice,bob; q -u nosuch; q -W nokey; q --wckeys=; q --partition=debug; q -r nosuch; q -r debug,short; q -q normal,low; q -q nosuch; q -A physics; q -A nosuch; q --accounts=physics,chem; q -M ref; q --clusters=all; q -M nosuch; q -L; q -x 1; q -i 1; q -i 2-4; q -i 1-4; q -I 4; q -I 2-8; q -I x; q -i 0; q -k 60; q -k 60 -K 120; q -k 1-0; q -K 10; q --flags=nosuch; q -C fast; q --constraints=fast
scancel $C $D; wait_acct $C CANCELLED; wait_acct $D CANCELLED; sleep 1.1
q -s CA -E now; q -s CD -E now; q -s R -E now; q -s PD -E now; q -s R,CA -E now
sacct -S $t0 -X -P -n -o JobName,State,Start,End | normalise | sort

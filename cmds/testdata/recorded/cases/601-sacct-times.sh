# topic: sacct
# Forms of -S and -E, and what is wrong with some of them.
. "$CT_LIB"
submit -H -J timed -t 5 --wrap 'exit 0'; A=$J; known $A; wait_acct $A COMPLETED; sleep 1.1
q() { echo "$*: $(sacct -n -X -P -j $A -o JobName "$@" 2>&1 | sort | paste -sd' ' | normalise)"; }
q -S now-1hours; q -S now-1hour; q -S now-60minutes; q -S now-1minute; q -S now-3600; q -S now-3600seconds; q -S now-1days; q -S now-1week; q -S now-1weeks; q -S today; q -S midnight; q -S yesterday; q -S tomorrow; q -S 2020-01-01; q -S 2020-01-01T00:00; q -S 2020-01-01T00:00:00; q -S 01/01/20; q -S 0101; q -S 01/01; q -S 010120; q -S 01/01/20-12:00; q -S 00:00; q -S 12:00AM; q -S now; q -S uts1577836800; q -S 1577836800; q -E 2020-01-01; q -E now; q -S nonsense; q -S 2020-13-01; q -S 2020-01-32; q -S 25:00; q -E now-1day; q -S now-1day -E now-2days; q -S now+1day -E now+2days; q -S now-1x; q -S now--1day; q -S 2099-01-01
try sacct -S now-1day -E now-2days
try sacct -n -S nonsense
try sacct -n -E 2020-13-01

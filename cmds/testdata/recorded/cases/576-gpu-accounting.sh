# topic: gpu
# GPUs in the accounts.
. "$CT_LIB"
submit -H --gres=gpu:2 -o /dev/null --wrap 'srun -n1 --gres=gpu:1 true'; known $J; wait_done $J; wait_acct $J COMPLETED
sacct -n -P -j $J -o JobID,ReqTRES,AllocTRES,TresUsageInTot | cut -d'|' -f1-3 | normalise
sacct -P -X -j $J -o JobID,AllocTRES%30 | head -1
sacct -n -X -j $J -o AllocTRES%60 | normalise
submit -H --gpus=v100:1 -o /dev/null --wrap true; known $J; wait_done $J; wait_acct $J COMPLETED; sacct -n -X -P -j $J -o ReqTRES,AllocTRES,NodeList

# SPDX-License-Identifier: Apache-2.0
# A tree of shells: $1 levels with $2 children each; a leaf waits at the fifo until it is told to go
# on. Every node adds up what its children say; the root writes the number of all.
node() {
	local level=$1 width=$2 sum=1 i n
	if [ "$level" -gt 0 ]; then
		for ((i = 0; i < width; i++)); do
			node $((level - 1)) "$width" &
		done >"$dir/sum.$BASHPID"
		wait
		while read -r n; do sum=$((sum + n)); done <"$dir/sum.$BASHPID"
		rm "$dir/sum.$BASHPID"
	else
		echo >>"$dir/leaves"
		read -r n <"$dir/gate.$((RANDOM % 4))"
	fi
	echo $sum
}
dir=$3
for i in 0 1 2 3; do
	mkfifo "$dir/gate.$i"
	exec {hold}<>"$dir/gate.$i" # both ends: no leaf waits in open(2), and `go` needs no partner
done
node "$1" "$2" >"$dir/total"
mv "$dir/total" "$dir/result"

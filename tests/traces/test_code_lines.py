from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asap_hf.traces.code_lines import LineKind, announces_block, classify, indentation

CODE = """
import sys
from collections import deque, Counter
n, m = map(int, input().split())
adj = [[] for _ in range(n + 1)]  # node 0 stays empty.
for i, value in enumerate(values):
while low < high:
if not seen and depth != 0:
if a[i] > 0: break
elif x == y: total += 1
else:
try:
with open("rows.txt") as rows:
def solve(grid: list, k: int = -1) -> int:
@lru_cache(None)
    return best if best < limit else -1
total += values[i] // 2
i += 1; j -= 1
dp[i] = min(dp[i - 1], dp[i - 2]) + cost
names = [
limit = float("inf")
half = n // 2
print("It's done.")
print(total,
recurse()
adj[u].append(v)
queue.append((0, start))
sys.exit()
break
int n; cin >> n;
total += row[i]; // add it up.
long long best = 0;
vector<int> a(n);
string s;
for (int i = 0; i < n; i++) {
if (x > 3)
int main() {
} else {
#include <vector>
using namespace std;
x = a > b ? a : b;
System.out.println(total);
const total = rows.map(row => row.size);
Scanner sc = new Scanner(System.in);
Integer best = null;
Node cur = head;
ListNode dummy = new ListNode(0);
Map<String, List<Integer>> rows = new HashMap<>();
int[] a = new int[n];
long[][] dp = new long[n][2];
String[] parts = line.split(" ");
std::vector<int>& rows = table[0];
Node *next = nullptr;
import java.util.*;
import static java.lang.Math.max;
using System.Linq;
use std::io::{self, Read};
package main
template <typename T>
int main()
public static void main(String[] args) throws IOException {
private static final int MOD = 1_000_000_007;
for (int i = 0; i < n; i++) a[i] = sc.nextInt();
if (low > high) swap(low, high);
else best = 4;
let mut best = 0;
let n: usize = s.trim().parse().unwrap();
val n = readLine()!!.toInt()
let n = Int(readLine()!)!
var n int
type Node struct {
type Graph = Map<number, Edge[]>;
console.log(`${best}`);
data class Point(val x: Int, val y: Int)
SELECT u.name, COUNT(*) AS orders
CREATE TABLE users (
#define MAX 100
def solve(a)
""".strip().splitlines()

DOUBTFUL = """
n = 5
n=5
a = [3, 1, 2]
low, high = high, low
total = best
x = 2 * 3
rows = ...
if a: if b: c = 1
d = {1: 2, 3: 4}
update(i, x)
# walk over the rows
}
])
    mark the node as seen
    take b, previous = b.
chars = set of all letters in s
if x > current: invalid.
\"\"\"The largest row.
Node next;
FROM users u
public:
case 1:
end
/* add them up
} Node;
""".strip("\n").splitlines()

PROSE = """
Read N.
Read n and the list.
1. Read n
- x = 3
a) i += 1
Yes.
Then:
Wait, but i += 1
So total += 1
then x = max(a, b)
a = 3, b = 4
a = 3, b = 4 → sum 7
i=0: 0 vs 0 → ok
x = 3 → YES
k=1: '201' → ends with 1
s = 3 + 4 = 7
count = half.
a = b, c = d
left = n - 1: 3
h = 8a + start
total = 4 (tens) + 2
x = (a)) + f(b
total = 2 * a's
f(x) = x + 1
gcd(4, 6) = 2
1 2 3
YES
for example:
with that:
x is even;
count = "half
for each of the rows:
if the first row is empty:
return the answer
break the tie
import this idea
it's a[i] = 2 * 3 here
## Plan
Int n is given;
First sort the array;
so x = 5;
then x = 5;
using dp
use dp
Let n = 5
Node A is visited
String s = "abc" for example
Then we have S = {
SELECT is a keyword.
Type A: the first
$n$ is odd;
    3 4 5
    Now the other half
""".strip("\n").splitlines()


@pytest.mark.parametrize("line", CODE)
def test_statements_of_any_language_are_code(line: str) -> None:
    assert classify(line) is LineKind.CODE


@pytest.mark.parametrize("line", DOUBTFUL)
def test_what_could_be_either_is_doubtful(line: str) -> None:
    assert classify(line) is LineKind.DOUBTFUL


@pytest.mark.parametrize("line", PROSE)
def test_sentences_lists_and_examples_are_prose(line: str) -> None:
    assert classify(line) is LineKind.PROSE


@pytest.mark.parametrize("line", CODE + DOUBTFUL + PROSE)
def test_the_line_break_does_not_matter(line: str) -> None:
    assert classify(line + "\r\n") is classify(line)


@pytest.mark.parametrize(
    ("line", "announces"),
    [
        ("For each num in a:", True),
        ("Then, for each start in 0 to n-1:", True),
        ("otherwise, if nothing is left:", True),
        ("   loop over the rows:", True),
        ("For example:", False),
        ("So the code is:", False),
        ("For each num in a, add it.", False),
    ],
)
def test_loops_and_conditions_in_words_announce_a_block(line: str, announces: bool) -> None:
    assert announces_block(line) is announces


@pytest.mark.parametrize(("line", "columns"), [("x", 0), ("  x", 2), ("\tx", 4), (" \tx", 4), ("\t  x", 6)])
def test_indentation_counts_a_tab_to_the_next_stop(line: str, columns: int) -> None:
    assert indentation(line) == columns


@settings(deadline=None)
@given(st.text(alphabet="ab1 '\"#/\\.,:;=+-*<>(){}[]→?!\t\r", min_size=1).filter(str.strip))
def test_no_line_fails(line: str) -> None:
    assert classify(line) in LineKind

"""Draft programs in many languages, to be kept in one piece."""

from __future__ import annotations

PROGRAMS = {
    "java": r"""
import java.util.*;
import java.io.BufferedReader;
import static java.lang.Math.max;
package com.example.app;
/**
 * Finds the largest value.
 * @param a the array
 */
public class Main {
    private static final int MOD = 1_000_000_007;
    static int[] memo = new int[100];
    static class Node {
        int val;
        Node left, right;
        Node(int v) { val = v; }
    }
    public static void main(String[] args) throws IOException {
        Scanner sc = new Scanner(System.in);
        int n = sc.nextInt();
        String line = sc.nextLine();
        Integer best = null;
        int[] a = new int[n];
        long[][] dp = new long[n][2];
        List<Integer> list = new ArrayList<>();
        Map<String, List<Integer>> map = new HashMap<>();
        Node cur = head;
        while (cur != null) {
            cur = cur.next;
        }
        for (int i = 0; i < n; i++) a[i] = sc.nextInt();
        for (int x : a) sum += x;
        if (n == 0) return;
        else if (n > 3) best = 4;
        else best = 5;
        Arrays.sort(a);
        Collections.sort(list, (x, y) -> x - y);
        StringBuilder sb = new StringBuilder();
        sb.append(best).append('\n');
        System.out.println(sb);
        try {
            Thread.sleep(10);
        } catch (InterruptedException e) {
            e.printStackTrace();
        } finally {
            sc.close();
        }
        switch (n) {
            case 1:
                break;
            default:
                break;
        }
        do {
            n--;
        } while (n > 0);
        throw new IllegalArgumentException("bad");
    }
}
""",
    "java-flat": r"""
Scanner sc = new Scanner(System.in);
int n = sc.nextInt();
String s = sc.next();
Integer best = null;
int[] a = new int[n];
char[] chars = s.toCharArray();
long[][] dp = new long[n][2];
Node cur = head;
ListNode dummy = new ListNode(0);
Map<Integer, Integer> count = new HashMap<>();
PriorityQueue<int[]> pq = new PriorityQueue<>((x, y) -> x[0] - y[0]);
for (int i = 0; i < n; i++) {
    count.merge(a[i], 1, Integer::sum);
}
Arrays.fill(dp[0], -1);
boolean ok = true;
final Node last = cur;
System.out.println(best);
""",
    "cpp": r"""
#include <bits/stdc++.h>
#define ll long long
#define all(x) (x).begin(), (x).end()
using namespace std;
using ll = long long;
typedef pair<int, int> pii;
const int MOD = 1e9 + 7;
template <typename T>
struct Node {
    int val;
    Node* left;
    Node *right = nullptr;
};
struct Edge { int to, w; };
class Solution {
public:
    int solve(vector<int>& a, int k) {
        unordered_map<int, int> seen;
        vector<vector<int>> dp(n, vector<int>(m, 0));
        priority_queue<pii, vector<pii>, greater<pii>> pq;
        for (auto& [u, v] : edges) {
            g[u].push_back(v);
        }
        for (auto x : a) cout << x << " ";
        if (x > y) swap(x, y);
        std::sort(a.begin(), a.end());
        Node* cur = head;
        TreeNode* root = new TreeNode(5);
        cur->next = nullptr;
        cur = cur->next;
        auto cmp = [](int a, int b) { return a > b; };
        return *max_element(a.begin(), a.end());
    }
private:
    int n;
};
int main()
{
    ios::sync_with_stdio(false);
    cin.tie(nullptr);
    int t; cin >> t;
    while (t--) {
        solve();
    }
    printf("%d\n", x);
    scanf("%d", &n);
    return 0;
}
""",
    "csharp": r"""
using System;
using System.Collections.Generic;
using System.Linq;
namespace Contest
{
    class Program
    {
        public int Count { get; set; }
        static void Main(string[] args)
        {
            int n = int.Parse(Console.ReadLine());
            string[] parts = Console.ReadLine().Split(' ');
            List<int> a = new List<int>();
            Dictionary<string, int> d = new Dictionary<string, int>();
            var sum = a.Where(x => x > 0).Sum();
            foreach (var x in a)
            {
                sum += x;
            }
            Console.WriteLine($"{sum}");
        }
    }
}
""",
    "rust": r"""
use std::io::{self, Read};
use std::collections::HashMap;
#[derive(Debug, Clone)]
struct Node {
    val: i32,
    next: Option<Box<Node>>,
}
impl Node {
    fn new(val: i32) -> Self {
        Node { val, next: None }
    }
}
fn solve(a: &[i64], k: usize) -> i64 {
    let mut best = 0;
    let n = a.len();
    for i in 0..n {
        best = best.max(a[i]);
    }
    match a.iter().max() {
        Some(&v) => v,
        None => 0,
    }
}
fn main() {
    let mut s = String::new();
    io::stdin().read_to_string(&mut s).unwrap();
    let a: Vec<i64> = s.split_whitespace().map(|x| x.parse().unwrap()).collect();
    let mut map: HashMap<i64, usize> = HashMap::new();
    *map.entry(a[0]).or_insert(0) += 1;
    println!("{}", solve(&a, 3));
}
""",
    "go": r"""
package main
import (
    "bufio"
    "fmt"
    "os"
)
import "sort"
type Node struct {
    val  int
    next *Node
}
type ByAge []Person
func (s *Stack) Push(x int) {
    s.items = append(s.items, x)
}
func main() {
    reader := bufio.NewReader(os.Stdin)
    var n int
    var a, b []int
    fmt.Fscan(reader, &n)
    a := make([]int, n)
    for i := 0; i < n; i++ {
        fmt.Fscan(reader, &a[i])
    }
    for _, x := range a {
        sum += x
    }
    if n%2 == 0 {
        fmt.Println("even")
    } else {
        fmt.Println("odd")
    }
    sort.Ints(a)
    defer writer.Flush()
}
""",
    "js": r"""
const fs = require('fs');
import { readFileSync } from 'fs';
const lines = fs.readFileSync(0, 'utf8').split('\n');
const [n, m] = lines[0].split(' ').map(Number);
let best = 0;
var seen = new Set();
function solve(a, b) {
    return a + b;
}
const f = (x) => x * 2;
for (const x of lines) {
    best = Math.max(best, x);
}
for (let i = 0; i < n; i++) best += i;
lines.forEach((line) => {
    console.log(line);
});
if (best === 0) {
    console.log("none");
} else if (best > 3) {
    process.exit(1);
}
console.log(`${best}`);
export default solve;
module.exports = { solve };
""",
    "ts": r"""
interface Edge {
    to: number;
    weight: number;
}
type Graph = Map<number, Edge[]>;
function solve(n: number, edges: Edge[]): number {
    const g: Graph = new Map();
    let best: number = -Infinity;
    for (const e of edges) {
        best = Math.max(best, e.weight);
    }
    return best;
}
export const answer = solve(3, []);
""",
    "sql": r"""
SELECT u.name, COUNT(*) AS orders
FROM users u
LEFT JOIN orders o ON o.user_id = u.id
WHERE u.active = 1
  AND o.total > 100
GROUP BY u.name
HAVING COUNT(*) > 3
ORDER BY orders DESC
LIMIT 10;
""",
    "sql2": r"""
CREATE TABLE users (
    id INT PRIMARY KEY,
    name VARCHAR(100) NOT NULL
);
INSERT INTO users (id, name) VALUES (1, 'a');
UPDATE users SET name = 'b' WHERE id = 1;
DELETE FROM users WHERE id = 1;
WITH best AS (
    SELECT id, MAX(total) AS total FROM orders GROUP BY id
)
SELECT * FROM best;
""",
    "kotlin": r"""
import java.util.Scanner
data class Point(val x: Int, val y: Int)
fun solve(a: IntArray): Int {
    var best = 0
    val n = a.size
    for (i in 0 until n) {
        best = maxOf(best, a[i])
    }
    return best
}
fun main() {
    val n = readLine()!!.toInt()
    val a = readLine()!!.split(" ").map { it.toInt() }
    println(solve(a.toIntArray()))
}
""",
    "c": r"""
#include <stdio.h>
#include <stdlib.h>
#define MAX 100
typedef struct node {
    int val;
    struct node *next;
} Node;
static int cmp(const void *a, const void *b) {
    return *(int *)a - *(int *)b;
}
int main(void) {
    int n, a[MAX];
    char *s = malloc(10);
    unsigned long long x = 0;
    scanf("%d", &n);
    for (int i = 0; i < n; ++i)
        scanf("%d", &a[i]);
    qsort(a, n, sizeof(int), cmp);
    if (n > 0 && a[0] == 1)
        printf("%d\n", a[0]);
    else
        printf("none\n");
    free(s);
    return 0;
}
""",
    "swift": r"""
import Foundation
let n = Int(readLine()!)!
var best = 0
func solve(_ a: [Int]) -> Int {
    return a.max() ?? 0
}
for i in 0..<n {
    best += i
}
print(best)
""",
    "ruby": r"""
def solve(a)
  a.max
end
n = gets.to_i
a = gets.split.map(&:to_i)
a.each do |x|
  puts x
end
puts solve(a)
""",
    "php": r"""
<?php
$n = intval(fgets(STDIN));
$a = array_map('intval', explode(' ', fgets(STDIN)));
function solve($a) {
    return max($a);
}
foreach ($a as $x) {
    echo $x;
}
echo solve($a), "\n";
""",
}

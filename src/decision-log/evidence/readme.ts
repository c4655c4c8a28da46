/** `README.md` of an evidence bundle, for somebody who has never heard of Sluice. */

/** @param key of the bundle, NAME+ID+BASE64 */
export const readme = (key: string): string => `# Evidence from a decision log

This bundle holds records of decisions: who asked for which data of whom, for which purpose, what the policy answered, and which fields left.
The records hold no values of the data. Each record is a line of the log as it was written, with a proof that a signed checkpoint of the log has it.

## Check it

You need Python 3.8 or newer and the command \`openssl\` (1.1.1 or newer). Read \`verify.py\` first: it is short, and has no other dependencies.

    python3 verify.py --key '${key}'

Take the key from the owner of the log by another way than this bundle (their web site, a letter, \`/.well-known/jwks.json\`), and compare.
\`--list\` prints one line for each decision. Whoever has Sluice can run \`sluice decisions verify\` on this directory instead.

## What is checked

1. \`manifest.json\` was signed (\`manifest.note\`), and has the SHA-256 of every other file. It says who made the bundle, when, and with which filter.
2. Each checkpoint (\`checkpoints/\`) is signed: it names a log, the number of its records, and the root of a Merkle tree over them (RFC 6962).
   Lines of witnesses below it say that somebody else saw the same checkpoint at that time.
3. Each line of \`records.ndjson\`: \`c\` is the SHA-256 of \`{"payload":…,"salt":…}\`, and \`hash\` is the SHA-256 of what stands before it and a closing brace.
   A line with \`"d"\` is a document that several records share; a record refers to it by its \`c\`.
4. Each line of \`proofs.ndjson\`: with the hashes in \`path\`, the record's \`hash\` leads to the root of the checkpoint (RFC 9162, section 2.1.3.2).
5. No part of a decision is left out before the last one that is here.

## What it does not show

- **That nothing was left out.** The one who exported chose the filter. Other decisions that fit it may exist; only the whole journal shows that
  (\`sluice decisions verify\`, \`sluice decisions query\`).
- **Whose key it is**, unless you compared it with one that you have from its owner.
- **That the clock was right.** The time of a record is the one of the machine. A cosignature of a witness shows that the record is not younger than its time.
- **Who is behind a pseudonym** (\`hmac:…\`). The owner of the log has the key of the pseudonyms.

---

# 决策日志证据包

本证据包收录若干条决策记录：谁、为何种目的、申请访问何人的哪些数据，策略如何裁定，哪些字段被提供。记录中不含数据内容本身。
每条记录均为日志写入时的原始行，并附有证明：已签名的检查点（checkpoint）包含该记录。

## 如何核验

需要 Python 3.8 或更高版本，以及 \`openssl\` 命令（1.1.1 或更高版本）。请先通读 \`verify.py\`：脚本很短，不依赖其他软件。

    python3 verify.py --key '${key}'

公钥应通过本证据包以外的途径（官网、公函、\`/.well-known/jwks.json\`）向日志所有者取得，并与上面的公钥比对。
加上 \`--list\` 可逐条列出决策。已安装 Sluice 的，也可对本目录运行 \`sluice decisions verify\`。

## 核验内容

1. \`manifest.json\` 已签名（\`manifest.note\`），并载有其余每个文件的 SHA-256，以及由谁、何时、按何种筛选条件导出。
2. 每个检查点（\`checkpoints/\`）已签名，载明日志名称、记录条数和全部记录的 Merkle 树根（RFC 6962）。
   其下见证方的签名行表明：他方在该时刻见到了同一检查点。
3. \`records.ndjson\` 的每一行：\`c\` 为 \`{"payload":…,"salt":…}\` 的 SHA-256；\`hash\` 为其之前的内容加右花括号的 SHA-256。
   含 \`"d"\` 的行是多条记录共用的文档，记录以其 \`c\` 引用。
4. \`proofs.ndjson\` 的每一行：由记录的 \`hash\` 经 \`path\` 中的各哈希值可算出检查点的树根（RFC 9162 第 2.1.3.2 节）。
5. 一项决策若分多段记录，已收录的最后一段之前没有遗漏。

## 不能证明的内容

- **筛选是否完整。** 筛选条件由导出者选定，可能还有符合条件的其他决策；只有完整的日志才能证明
  （\`sluice decisions verify\`、\`sluice decisions query\`）。
- **公钥归谁所有**，除非您已与所有者另行提供的公钥比对。
- **时钟是否准确。** 记录中的时间取自服务器；见证方的签名只表明记录不晚于其签名时间。
- **假名（\`hmac:…\`）对应何人。** 假名密钥由日志所有者保管。
`;

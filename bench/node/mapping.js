// The same hop as bench/plain.py: decode, check the digest, map 30 fields by hand, encode.
'use strict';

const { createHash, getHashes } = require('node:crypto');

const DIGEST = 'cloudEvents:digest';
const SM3 = getHashes().includes('sm3');
const TYPES = { CN: '1', JB: '2', LB: '3' };
const KINDS = { GR: '1', FR: '2' };
const STATES = { S: '1', L: '2', B: '3', T: '4' };
const TRUTH = { 1: true, 0: false };

function digest(content) {
  return createHash(SM3 ? 'sm3' : 'sha256').update(content).digest('hex');
}

function mapped(c) {
  const at = c.slsj;
  const issued = c.bzrq;
  return {
    caseNo: c.ywlsh,
    caseName: c.bjmc,
    catalogCode: c.sxbm,
    catalogName: c.sxmc,
    caseType: TYPES[c.bjlx],
    applicantKind: KINDS[c.sqrlx],
    applicantName: c.sqrmc.trim(),
    uscc: c.tyshxydm.toUpperCase(),
    agentName: c.jbr,
    agentNumber: c.jbrzjh,
    agentPhone: c.lxdh,
    address: c.qx + (c.jd ?? '') + (c.mph ?? ''),
    regionCode: c.qhdm ?? '130100',
    acceptOrgName: c.sljg,
    acceptOrgCode: c.sljgdm,
    acceptorName: c.slr,
    acceptTime: `${at.slice(0, 4)}-${at.slice(4, 6)}-${at.slice(6, 8)}T${at.slice(8, 10)}:${at.slice(10, 12)}:${at.slice(12, 14)}`,
    applyTime: c.sqsj?.replace(' ', 'T'),
    promiseDate: c.cnbjrq.replaceAll('/', '-'),
    issueDate: `${issued.slice(0, 4)}-${issued.slice(4, 6)}-${issued.slice(6, 8)}`,
    legalDays: Number.parseInt(c.fdsx, 10),
    promiseDays: c.cnsx,
    isCharged: TRUTH[c.sfsf],
    feeAmount: (c.sfje / 100).toFixed(2),
    floorArea: Number(c.jzmj).toFixed(2),
    roomCount: Number.parseInt(c.kfs, 10),
    isOnline: TRUTH[c.sfwsbl],
    state: STATES[c.blzt],
    opinion: c.blyj,
    remark: c.bz,
  };
}

// Headers and body of what goes on; throws where the digest is wrong.
function passedOn(given, content) {
  // Where Node's OpenSSL lacks SM3, SHA-256 is reckoned in its place: the same work, nothing to compare.
  const found = digest(content);
  if (SM3 && given !== found) throw new Error('the body is not the one that was sent');
  const body = Buffer.from(JSON.stringify(mapped(JSON.parse(content.toString('utf8')))));
  return { headers: { [DIGEST]: digest(body) }, body };
}

module.exports = { DIGEST, SM3, passedOn };

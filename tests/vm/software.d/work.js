// SPDX-License-Identifier: GPL-2.0-or-later
// work.js WHAT PORT: does one thing with the port on 127.0.0.1, in one of Node's ways.
// Prints "answer ..." when it worked, else the error's code; ends with 1 then.
'use strict';
const http = require('http');
const net = require('net');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

const host = '127.0.0.1';

function connect(port) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(port, host, () => socket.end('GET / HTTP/1.0\r\n\r\n'));
		socket.once('data', (data) => resolve(data.toString().slice(0, 12)));
		socket.once('error', reject);
	});
}

async function fetchPage(port) {
	const answer = await fetch(`http://${host}:${port}/`);
	return `fetch ${answer.status}`;
}

// Needs the port free: serves, and asks itself.
async function serve(port) {
	const server = http.createServer((request, response) => response.end('hello'));
	await new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, host, resolve);
	});
	const answer = await fetchPage(port);
	server.close();
	server.closeAllConnections();
	return answer;
}

// An error does not keep its code on the way between threads.
function worker(port) {
	return new Promise((resolve, reject) => {
		const thread = new Worker(__filename, { workerData: port });
		thread.once('message', (m) => m.answer ? resolve(m.answer) : reject(m));
		thread.once('error', reject);
	});
}

function fail(error) {
	const { code, syscall } = error.cause ?? error;
	console.log(`${code} ${syscall}`);
	process.exitCode = 1;
}

if (isMainThread) {
	const works = { serve, fetch: fetchPage, connect, worker };
	works[process.argv[2]](Number(process.argv[3]))
		.then((answer) => console.log(`answer ${answer}`), fail);
} else {
	connect(workerData).then((answer) => parentPort.postMessage({ answer }),
		({ code, syscall }) => parentPort.postMessage({ code, syscall }));
}

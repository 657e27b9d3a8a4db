// The few lines of MCP that an agent needs: a tool is called, its answer is an object. Everything it knows of the service
// is in its environment; Node.js 20 is enough.
import process from 'node:process';

const { ENTOURAGE_MCP_URL, ENTOURAGE_API_KEY } = process.env;
let id = 0;

export async function call(name, args = {}) {
  const answer = await fetch(ENTOURAGE_MCP_URL, {
    method: 'POST',
    headers: {
      'X-API-Key': ENTOURAGE_API_KEY,
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: (id += 1),
      method: 'tools/call',
      params: { name, arguments: args },
    }),
  });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
  const { result, error } = await answer.json();
  if (error) throw new Error(`${name}: ${error.message}`);
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return result.structuredContent;
}

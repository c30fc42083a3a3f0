// What the servers of the bench have in common: their one tool.
export const tools = [{
    name: 'echo',
    description: 'Answers with the text that it is given.',
    inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}];

export function echo({ params }) {
    return { content: [{ type: 'text', text: params.arguments.text }] };
}

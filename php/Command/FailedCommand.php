<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Symfony\Component\Console\Input\InputInterface;

/**
 * Shows what failed for good, and brings it back or discards it.
 */
final class FailedCommand extends ActionCommand
{
    protected const NAME = 'failed';
    protected const DESCRIPTION = 'Show what failed for good (dead letters), run it again, discard it';
    protected const HELP = <<<'TEXT'
        A listener that has failed in all of its attempts leaves a dead letter: the event, for this listener, with each attempt's error.
        It is kept until it is replayed or discarded, or for dead.keep.
        TEXT;
    protected const ACTIONS = [
        'list' => 'the dead letters, the oldest first',
        'show' => 'all that is known of an event\'s: attempts, errors, params',
        'replay' => 'let the same listeners try again, from their first attempt',
        'discard' => 'forget them',
        'purge' => 'the same by a filter only, as for personal data; waiting and spool have the like',
        'export' => 'write them to a file, or to stdout: a line of JSON each',
        'import' => 'read them from a file, or from stdin',
    ];
    protected const EXAMPLES = [
        '--name="order.*"',
        'show 0190f3a2-...',
        'replay 0190f3a2-... --listener=warehouse',
        'replay --all --limit=10',
        'purge --text=ada@example.org',
        'export letters.jsonl --kind=killed',
    ];
    private const NOUNS = ['dead letter', 'dead letters'];

    protected function configure(): void
    {
        parent::configure();
        Selection::declare($this, ['name', 'id', 'listener', 'kind', 'text']);
    }

    protected function act(string $action, InputInterface $input, Screen $screen): int
    {
        $requests = new Requests($this->container->get('Proletarier\Control'));
        if ($action === 'export' || $action === 'import') {
            return (new Transfer($requests, $screen))->$action($input);
        }
        $selection = Selection::of($input);
        $json = $input->getOption('json');
        $listing = new Listing($screen, self::NOUNS[1]);
        $pages = static fn (array $filter, int $limit, bool $params): \Generator
            => $requests->pages('failed', 'letters', $filter, $limit, ['params' => $params]);

        return match ($action) {
            'list' => $listing->list(
                array_map(
                    static fn (array $filter) => $pages($filter, Listing::limit($input), $input->getOption('params')),
                    $selection->filters()
                ),
                Letter::HEADINGS,
                Letter::row(...),
                $json,
                !$selection->isEverything()
            ),
            'show' => $listing->show(
                array_map(static fn (array $filter) => $pages($filter, PHP_INT_MAX, true), $selection->byId()),
                Letter::show(...),
                $json
            ),
            'replay' => $this->change('failed_replay', 'replayed', $selection->required('replay'), $requests, $input, $screen),
            'discard' => $this->change('failed_discard', 'discarded', $selection->required('discard'), $requests, $input, $screen),
            'purge' => $this->change('failed_discard', 'discarded', $selection->filtered('purge', 'discard'), $requests, $input, $screen),
        };
    }

    private function change(
        string $command,
        string $done,
        Selection $selection,
        Requests $requests,
        InputInterface $input,
        Screen $screen
    ): int {
        $asks = $command === 'failed_discard' && $selection->ids === [];
        if ($asks && !$screen->agrees("Discard {$selection->words(self::NOUNS[1])}? They cannot be brought back.")) {
            return 1;
        }
        $change = new Change($requests, $screen, 'failed', 'letters');
        $result = $change->make(
            $command,
            $selection,
            Listing::limit($input, null),
            $selection->isEverything() ? $requests->count('dead') : 0
        );

        return Change::tell($screen, $result, $done, self::NOUNS, $input->getOption('json'));
    }
}

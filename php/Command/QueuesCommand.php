<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Proletarier\Nearest;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Shows the daemon's queues, and holds one up or lets it go on.
 */
final class QueuesCommand extends Command
{
    private const ACTIONS = ['list', 'pause', 'resume'];

    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('queues');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Show the queues, hold one up, let it go on')
            ->setHelp(<<<'TEXT'
                What is in a paused queue waits until it is resumed; what workers have of it they finish. A pause outlasts a restart of the daemon.
                TEXT)
            ->addArgument('action', InputArgument::OPTIONAL, implode(', ', self::ACTIONS), 'list')
            ->addArgument('queue', InputArgument::IS_ARRAY, 'pause, resume: names of queues')
            ->addOption('json', 'j', InputOption::VALUE_NONE, 'list: for programs, a line of JSON for each')
            ->addUsage('pause reports')
            ->addUsage('resume reports');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $screen = new Screen($input, $output);
        $control = $this->container->get('Proletarier\Control');
        $action = $input->getArgument('action');
        $names = $input->getArgument('queue');
        if (!in_array($action, self::ACTIONS, true)) {
            $nearest = Nearest::of($action, self::ACTIONS);
            throw new InvalidArgument(sprintf(
                "queues: there is no action '%s'%s Allowed: %s",
                $action,
                $nearest === null ? '.' : "; did you mean $nearest?",
                implode(', ', self::ACTIONS)
            ));
        }
        if ($action === 'list') {
            $status = $control->request(['command' => 'status']);
            $input->getOption('json') ? array_map($screen->json(...), $status['queues']) : (new StatusPage($screen))->queues($status);

            return 0;
        }
        if ($names === []) {
            throw new InvalidArgument("queues $action: give the name of a queue");
        }
        foreach ($names as $name) {
            $control->request(['command' => "queue_$action", 'queue' => $name]);
            $screen->say("The queue $name is " . ($action === 'pause' ? 'paused.' : 'let go on.'));
        }

        return 0;
    }
}

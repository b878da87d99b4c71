<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\BrokerUnavailable;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Stops the daemon: its workers finish the event that they are at.
 */
final class StopCommand extends Command
{
    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('stop');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Stop the daemon')
            ->setHelp(<<<'TEXT'
                Workers finish the event that they are at, within worker.grace. What waits is kept in the store. The same as sending SIGTERM to
                the daemon; under a service manager stop the service instead, which would start it again.

                <comment>Exit status:</comment>
                  0  it has stopped; without <info>--wait</info>: it stops
                  1  no daemon runs, or it has not stopped in time; the reason is on stderr
                TEXT)
            ->addOption('wait', 'w', InputOption::VALUE_OPTIONAL, 'Wait until it has stopped, so many seconds at most (30)', false)
            ->addUsage('--wait=60');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $screen = new Screen($input, $output);
        $seconds = Patience::of($input);
        $control = $this->container->get('Proletarier\Control');
        $supervisor = $control->request(['command' => 'status'])['supervisor'];
        $control->request(['command' => 'stop']);
        if ($seconds === null) {
            $screen->say('The daemon stops.');

            return 0;
        }
        $stopped = Patience::await($seconds, static function () use ($control, $supervisor): ?bool {
            try {
                // Another one, which a service manager has started: the one that was asked to is gone.
                return $control->request(['command' => 'status'], 1.0)['supervisor'] === $supervisor ? null : true;
            } catch (BrokerUnavailable) {
                // The broker is the last to go but for the supervisor itself.
                return Processes::lives($supervisor) ? null : true;
            }
        });
        if ($stopped === null) {
            $screen->note(sprintf('The daemon, process %d, has not stopped after %s s: it waits for what its workers run.', $supervisor, (string) $seconds));

            return 1;
        }
        $screen->say('The daemon has stopped.');

        return 0;
    }
}

<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\BrokerUnavailable;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Has the daemon boot the application's code anew, and its workers replaced by such of the new code. Where that does not boot the old goes on.
 */
final class ReloadCommand extends Command
{
    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('reload');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Replace the workers by such of the new code, once that has booted')
            ->setHelp(<<<'TEXT'
                What a deploy does last. The daemon boots the application once more, by the command line that it was started with; once a
                worker of the new code is ready, the old ones finish the event that they are at, and leave. No event waits for that, or is
                lost. Code that does not boot changes nothing: the old goes on. The same as sending SIGHUP to the daemon.

                <comment>Exit status:</comment>
                  0  the new code runs; without <info>--wait</info>: it was asked for
                  1  the new code did not boot, or not in time; the reason is on stderr
                TEXT)
            ->addOption('wait', 'w', InputOption::VALUE_OPTIONAL, 'Wait until the new code runs, so many seconds at most (30)', false)
            ->addUsage('--wait=60');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $screen = new Screen($input, $output);
        $seconds = Patience::of($input);
        $control = $this->container->get('Proletarier\Control');
        $number = $control->request(['command' => 'reload'])['reload'];
        if ($seconds === null) {
            $screen->say('The daemon reloads.');

            return 0;
        }
        $reload = Patience::await($seconds, static function () use ($control, $number): ?array {
            try {
                $reload = $control->request(['command' => 'status'])['reload'];
            } catch (BrokerUnavailable) {
                // It is being replaced.
                return null;
            }

            return $reload['ended'] >= $number ? $reload : null;
        });
        if ($reload === null) {
            $screen->note(sprintf('The new code is not ready after %s s, and the old one goes on until it is.', (string) $seconds));

            return 1;
        }
        if (isset($reload['error'])) {
            $screen->note('The new code does not run, and the old one goes on: ' . Screen::line($reload['error']));

            return 1;
        }
        $screen->say("The new code runs: generation {$reload['generation']}.");

        return 0;
    }
}
